//! A user who may not listen on port 80, as most people are.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use squall_tests::{Ctl, Output, Scratch, wait_for};

/// The user "nobody", who is there on every machine.
const NOBODY: u32 = 65_534;
const SERVICE: &str = "examples/chapter/kubia-deployment-and-service-v1.yaml";

/// Makes the programs reachable for everybody: the project may be in a home that is closed.
fn share_programs(from: &Path, to: &Path) {
    for program in ["apiserver", "controller-manager", "kubelet-sim", "ctl"] {
        fs::hard_link(from.join(program), to.join(program))
            .or_else(|_| fs::copy(from.join(program), to.join(program)).map(drop))
            .unwrap();
    }
}

/// `ctl` in a folder of a user who is not root.
fn ordinary(scratch: &Scratch) -> Ctl {
    let ctl = Ctl::in_folder(scratch.path()).unwrap();
    if !rustix::process::geteuid().is_root() {
        return ctl;
    }
    let programs = scratch.path().join("programs");
    fs::create_dir(&programs).unwrap();
    share_programs(ctl.program().parent().unwrap(), &programs);
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(scratch.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    ctl.of_user(NOBODY, programs.join("ctl"))
}

async fn succeeds(ctl: &Ctl, words: &str) -> Output {
    let output = ctl.run(words).await.unwrap();
    assert_eq!(output.code, 0, "{words}: {}", output.stderr);
    output
}

fn answer(address: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: kubia\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn port_80_is_served_at_another_address_which_is_told() {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let may_listen = first.trim().parse::<u16>().unwrap() <= 80;
    let (scratch, _) = Scratch::new().unwrap();
    let ctl = ordinary(&scratch);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(SERVICE);
    fs::copy(manifest, scratch.path().join("app.yaml")).unwrap();

    let up = succeeds(&ctl, "cluster up --detach --nodes 2").await;
    assert_eq!(up.stderr.contains("40080 carries 80"), !may_listen, "{}", up.stderr);
    succeeds(&ctl, "create -f app.yaml").await;
    succeeds(&ctl, "rollout status deployment kubia").await;
    let told = wait_for("an event about port 80", || async {
        let events = succeeds(&ctl, "get events -o jsonpath={.items[*].message}").await.stdout;
        if may_listen || events.contains("Ordinary users may not listen on port 80") { Ok(events) } else { Err(events) }
    });
    let told = told.await.unwrap();
    let ip = succeeds(&ctl, "get svc kubia -o jsonpath={.status.loadBalancer.ingress[0].ip}").await.stdout;
    let address = if may_listen { format!("{ip}:80") } else { format!("{ip}:40080") };
    assert!(may_listen || told.contains(&format!("{ip}:80 is served at {address}")), "{told}");
    assert!(answer(&address).contains("This is v1 running in pod"), "{}", answer(&address));
    succeeds(&ctl, "cluster down --delete").await;
}
