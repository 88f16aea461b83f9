//! The subcommands of agnhost, the image of Kubernetes' own tests.

use squall_proto::squall::cri::v1 as cri;

use super::{Chosen, Program, Server};
use crate::runtime::site::Site;

/// Chooses the program of a subcommand: `netexec --http-port=8083`.
pub(super) fn choose(args: &[String], environment: &[cri::Variable]) -> Chosen {
    let option = |name: &str| {
        let mut words = args.iter().flat_map(|arg| arg.split('='));
        words.find(|word| word.trim_start_matches('-') == name)?;
        words.next()?.parse::<u16>().ok()
    };
    let server = |port: u16, site: Site| Program::Server(Server { ports: vec![port], site });
    let program = match args.first().map(String::as_str) {
        None | Some("pause") => Program::Pause,
        Some("netexec") => server(option("http-port").unwrap_or(8080), Site::Netexec),
        Some("serve-hostname") => server(option("port").unwrap_or(9376), Site::Hostname),
        Some("test-webserver") => server(option("port").unwrap_or(80), Site::Static),
        Some("liveness") => server(8080, Site::Liveness),
        Some("porter") => Program::Server(Server { ports: porter(environment), site: Site::Image }),
        Some(_) => return Chosen { program: Program::Pause, ignored: Some(args.join(" ")) },
    };
    Chosen { program, ignored: None }
}

/// The ports of a porter: it serves on 8080 if it has a variable `SERVE_PORT_8080`.
fn porter(environment: &[cri::Variable]) -> Vec<u16> {
    let prefixes = ["SERVE_PORT_", "SERVE_TLS_PORT_"];
    let number = |name: &str| prefixes.iter().find_map(|prefix| name.strip_prefix(prefix))?.parse().ok();
    environment.iter().filter_map(|variable| number(&variable.name)).collect()
}
