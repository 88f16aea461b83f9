//! The program of a container: its image's server, or the command that its pod gives instead.

mod agnhost;
mod shell;

use squall_proto::squall::cri::v1 as cri;

use super::site::Site;
use crate::catalogue::{Image, Nature};

pub use shell::{Ending, Script, Shell};

/// The program of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A server.
    Server(Server),
    /// A command of a shell, and the server that it ends in, if it does.
    Script(Script, Option<Server>),
    /// A process that does nothing until it is told to end.
    Pause,
}

/// A server: the ports that it listens on, and its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The ports.
    pub ports: Vec<u16>,
    /// Its answers.
    pub site: Site,
}

/// A program, and the part of its command that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The program.
    pub program: Program,
    /// A command, or a part of one, that nothing here can run.
    pub ignored: Option<String>,
}

/// Chooses the program of a container. Kubernetes: `command` replaces the image's entry point, and `args` its arguments.
#[must_use]
pub fn choose(image: &Image, request: &cri::StartContainerRequest) -> Chosen {
    let (command, args) = (&request.command, &request.args);
    let chosen = |program| Chosen { program, ignored: None };
    // An image without an entry point takes its arguments as a command.
    let takes_args = matches!(image.nature, Nature::Shell);
    let line: Vec<String> = match (command.is_empty(), takes_args) {
        (false, _) => command.iter().chain(args).cloned().collect(),
        (true, true) => args.clone(),
        (true, false) => Vec::new(),
    };
    if !line.is_empty() {
        return commanded(&line, image, request);
    }
    match image.nature {
        Nature::Agnhost => agnhost::choose(args, &request.environment),
        // A shell without a terminal reads the end of its input.
        Nature::Shell => chosen(Program::Script(Script::default(), None)),
        Nature::Pause => chosen(Program::Pause),
        Nature::Server => chosen(Program::Server(server(image, request))),
    }
}

fn commanded(line: &[String], image: &Image, request: &cri::StartContainerRequest) -> Chosen {
    if let Some(args) = line.strip_prefix(&["/agnhost".to_owned()]).filter(|_| image.nature == Nature::Agnhost) {
        return agnhost::choose(args, &request.environment);
    }
    let serves = || match image.nature {
        Nature::Pause => None,
        _ => Some(server(image, request)),
    };
    match shell::command(line) {
        Some(script) => {
            let ignored = script.unknown();
            let last = (script.ending() == Ending::Unknown).then(serves).flatten();
            Chosen { program: Program::Script(script, last), ignored }
        }
        None => {
            let program = serves().map_or(Program::Pause, Program::Server);
            Chosen { program, ignored: Some(line.join(" ")) }
        }
    }
}

/// The server of an image. It listens where the image says; an image that does not say listens where the pod says.
fn server(image: &Image, request: &cri::StartContainerRequest) -> Server {
    let declared: Vec<u16> = request.ports.iter().filter_map(|port| u16::try_from(*port).ok()).collect();
    let site = Site::Image;
    match image.port {
        Some(port) => Server { ports: vec![port], site },
        None if declared.is_empty() => Server { ports: vec![Image::USUAL_PORT], site },
        None => Server { ports: declared, site },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn chosen(image: &str, command: &[&str], args: &[&str], ports: &[u32]) -> Chosen {
        let image = Catalogue::load(None).unwrap().find(image).unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (command, args) = (words(command), words(args));
        choose(&image, &cri::StartContainerRequest { command, args, ports: ports.to_vec(), ..Default::default() })
    }

    fn ports(chosen: &Chosen) -> Vec<u16> {
        match &chosen.program {
            Program::Server(server) | Program::Script(_, Some(server)) => server.ports.clone(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_server_listens_where_its_image_says_and_else_where_the_pod_says() {
        assert_eq!(ports(&chosen("luksa/kubia:v1", &[], &[], &[80, 443])), [8080]);
        assert_eq!(ports(&chosen("nginx:1.27", &[], &[], &[])), [80]);
        assert_eq!(ports(&chosen("example.com/mine:7", &[], &[], &[3000, 9090])), [3000, 9090]);
        assert_eq!(ports(&chosen("example.com/mine:7", &[], &[], &[])), [8080]);
        assert_eq!(chosen("registry.k8s.io/pause:3.10.2", &[], &[], &[80]).program, Program::Pause);
    }

    #[test]
    fn a_command_replaces_the_entry_point_if_it_is_known() {
        let sleep = chosen("luksa/kubia:v1", &["sleep", "5"], &[], &[]);
        assert!(matches!(sleep.program, Program::Script(_, None)) && sleep.ignored.is_none());
        let args = chosen("busybox:1.36", &[], &["sh", "-c", "exit 3"], &[]);
        assert!(matches!(args.program, Program::Script(_, None)) && args.ignored.is_none());
        let own = chosen("luksa/kubia:v1", &["node", "app.js"], &[], &[]);
        assert_eq!((ports(&own).as_slice(), own.ignored.as_deref()), ([8080].as_slice(), Some("node app.js")));
        let both = chosen("luksa/kubia:v1", &["sh", "-c", "echo hi; exec node app.js"], &[], &[]);
        assert_eq!((ports(&both).as_slice(), both.ignored.as_deref()), ([8080].as_slice(), Some("exec node app.js")));
        assert_eq!(chosen("luksa/kubia:v1", &[], &["--verbose"], &[]).ignored, None, "its own arguments");
    }

    #[test]
    fn agnhost_does_as_its_subcommand_says() {
        let agnhost = "registry.k8s.io/e2e-test-images/agnhost:2.63.0";
        assert_eq!(ports(&chosen(agnhost, &[], &["netexec", "--http-port=8083"], &[])), [8083]);
        assert_eq!(ports(&chosen(agnhost, &["/agnhost", "serve-hostname"], &[], &[])), [9376]);
        assert_eq!(chosen(agnhost, &[], &[], &[]).program, Program::Pause);
    }
}
