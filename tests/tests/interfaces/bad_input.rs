//! Tests bad input: a clear error, kubectl's exit code, and nothing half done.

use std::fs;
use std::net::TcpListener;

use squall_api::Kind;
use squall_tests::processes::processes_in;
use squall_tests::{Ctl, Lab, Scratch, holds, running, wait_for};

/// Returns a Deployment with `spec` inserted as a line.
fn deployment(spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: k3}}\nspec:\n  {spec}\n  selector: {{matchLabels: {{app: kubia}}}}\n  \
         template: {{metadata: {{labels: {{app: kubia}}}}, spec: {{containers: [{{name: nodejs, image: x}}]}}}}\n"
    )
}

/// Deployments with a bad spec, and the error of `ctl create -f -` for each.
fn bad_specs() -> Vec<(String, &'static str)> {
    vec![
        (
            deployment("replicaz: 3"),
            "Error from server (BadRequest): error when creating \"STDIN\": Deployment in version \"v1\" cannot be handled as a Deployment: \
             strict decoding error: unknown field \"spec.replicaz\"",
        ),
        (
            deployment("replicas: three"),
            "Error from server (BadRequest): error when creating \"STDIN\": Deployment in version \"v1\" cannot be handled as a Deployment: \
             json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            deployment("replicas: -1"),
            "The Deployment \"k3\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            deployment("strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}"),
            "The Deployment \"k3\" is invalid: spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        (
            deployment("strategy: {rollingUpdate: {maxSurge: \"25x%\"}}"),
            "The Deployment \"k3\" is invalid: spec.strategy.rollingUpdate.maxSurge: Invalid value: \"25x%\": a valid percent string must be a \
             numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
        (
            deployment("strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}"),
            "The Deployment \"k3\" is invalid: spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            deployment("strategy: {type: Bogus}"),
            "The Deployment \"k3\" is invalid: spec.strategy: Unsupported value: {\"Type\":\"Bogus\",\"RollingUpdate\":null}: supported \
             values: \"Recreate\", \"RollingUpdate\"",
        ),
        (
            deployment("progressDeadlineSeconds: 10\n  minReadySeconds: 10"),
            "The Deployment \"k3\" is invalid: spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds",
        ),
        (
            deployment("replicas: 1").replace("  selector: {matchLabels: {app: kubia}}\n", ""),
            "The Deployment \"k3\" is invalid: \n* spec.selector: Required value\n* spec.template.metadata.labels: Invalid value: \
             {\"app\":\"kubia\"}: `selector` does not match template `labels`",
        ),
    ]
}

/// Other bad manifests, and the error of `ctl create -f -` for each.
fn bad_manifests() -> Vec<(String, &'static str)> {
    vec![
        (
            deployment("replicas: 1").replace("image: x", "imagePullPolicy: Always"),
            "The Deployment \"k3\" is invalid: spec.template.spec.containers[0].image: Required value",
        ),
        (
            deployment("replicas: 1").replace("name: k3", "name: Kubia_1"),
            "The Deployment \"Kubia_1\" is invalid: metadata.name: Invalid value: \"Kubia_1\": a lowercase RFC 1123 subdomain must consist of \
             lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex \
             used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
        (
            deployment("replicas: 1").replace("name: k3", "name: k3, namespace: nosuch"),
            "Error from server (NotFound): error when creating \"STDIN\": namespaces \"nosuch\" not found",
        ),
        (
            deployment("replicas: 1").replace("kind: Deployment", "kind: Deploymint"),
            "error: resource mapping not found for name: \"k3\" namespace: \"\" from \"STDIN\": no matches for kind \"Deploymint\" in version \
             \"apps/v1\"\nensure CRDs are installed first",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: s1}\nspec: {type: Bogus}\n".to_owned(),
            "The Service \"s1\" is invalid: \n* spec.ports: Required value\n* spec.type: Unsupported value: \"Bogus\": supported values: \
             \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: s1}\nspec: {ports: [{port: 99999}]}\n".to_owned(),
            "The Service \"s1\" is invalid: \n* spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive\n* \
             spec.ports[0].targetPort: Invalid value: 99999: must be between 1 and 65535, inclusive",
        ),
    ]
}

/// Bad commands and their errors.
const BAD_COMMANDS: &[(&str, &str)] = &[
    ("create -f nosuchfile.yaml", "error: the path \"nosuchfile.yaml\" does not exist"),
    ("get deploy nosuch", "Error from server (NotFound): deployments.apps \"nosuch\" not found"),
    ("get nosuchkind", "error: the server doesn't have a resource type \"nosuchkind\""),
    (
        "get po -o bogus",
        "error: unable to match a printer suitable for the output format \"bogus\", allowed formats are: custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,wide,yaml",
    ),
    (
        "get po -l a=b=c",
        "Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match label selector \"a=b=c\", field selector \"\": found \
         '=', expected: ',' or 'end of string'",
    ),
    ("describe deploy nosuch", "Error from server (NotFound): deployments.apps \"nosuch\" not found"),
    ("delete deploy nosuch", "Error from server (NotFound): deployments.apps \"nosuch\" not found"),
    ("set image deploy/nosuch a=b", "Error from server (NotFound): deployments.apps \"nosuch\" not found"),
    ("scale deploy nosuch --replicas=1", "error: no objects passed to scale deployments.apps \"nosuch\" not found"),
    ("rollout status deploy nosuch", "Error from server (NotFound): deployments.apps \"nosuch\" not found"),
    ("rollout undo deploy nosuch", "Error from server (NotFound): deployments.apps \"nosuch\" not found"),
    ("patch deploy nosuch -p {}", "Error from server (NotFound): deployments.apps \"nosuch\" not found"),
];

#[tokio::test]
async fn bad_input_gets_kubectls_words_and_changes_nothing() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let ctl = lab.ctl().unwrap();
    for (manifest, expected) in bad_specs().into_iter().chain(bad_manifests()) {
        let output = ctl.run_with("create -f -", &manifest).await.unwrap();
        assert_eq!((output.stderr.trim_end_matches('\n'), output.code), (expected, 1), "{manifest}");
        assert_eq!(output.stdout, "", "{manifest}");
    }
    for (command, expected) in BAD_COMMANDS {
        let output = ctl.run(command).await.unwrap();
        assert_eq!((output.stderr.trim_end_matches('\n'), output.code), (*expected, 1), "{command}");
        assert_eq!(output.stdout, "", "{command}");
    }
    assert_eq!(lab.list(Kind::Deployment).await.unwrap(), []);
    assert_eq!(lab.list(Kind::Service).await.unwrap().len(), 1, "the kubernetes service alone");
}

#[tokio::test]
async fn what_every_cluster_has_cannot_be_deleted_or_comes_back() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let output = ctl.run("delete namespace default kube-system").await.unwrap();
    let expected = "Error from server (Forbidden): namespaces \"default\" is forbidden: this namespace may not be deleted\n\
                    Error from server (Forbidden): namespaces \"kube-system\" is forbidden: this namespace may not be deleted\n";
    assert_eq!((output.stderr.as_str(), output.stdout.as_str(), output.code), (expected, "", 1));

    let get = "get service kubernetes -o json";
    let before = ctl.run(get).await.unwrap().stdout;
    ctl.succeed("delete service kubernetes").await.unwrap();
    wait_for("the service to come back", || async {
        let after = ctl.run(get).await.map_err(|error| error.to_string())?;
        holds(after.code == 0 && after.stdout != before, format!("{after:?}"))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn good_documents_are_stored_beside_bad_ones() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let documents = format!("{}---\n{}", deployment("replicas: -1"), deployment("replicas: 0").replace("k3", "k4"));
    let output = lab.ctl().unwrap().run_with("create -f -", &documents).await.unwrap();
    assert_eq!((output.stdout.as_str(), output.code), ("deployment.apps/k4 created\n", 1));
    assert!(output.stderr.contains("\"k3\" is invalid"), "{}", output.stderr);
}

#[tokio::test]
async fn where_no_cluster_is_it_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let output = ctl.run("get po").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("ctl cluster up"), "{}", output.stderr);
    let output = ctl.run("cluster status").await.unwrap();
    assert_eq!(
        (output.stderr.as_str(), output.code),
        ("error: there is no cluster in .squall; start one with \"ctl cluster up\"\n", 1)
    );

    let mut lab = Lab::of(1, 1, 0).await.unwrap();
    lab.cluster.down().unwrap();
    let output = lab.ctl().unwrap().run("get po").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("was refused - did you specify the right host or port?"), "{}", output.stderr);
}

#[tokio::test]
async fn verbs_agree_on_the_cluster_in_a_subfolder() {
    let (folder, ctl) = Scratch::new().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    let (up, sub) = ("cluster up --detach --apiservers 1 --controller-managers 1 --nodes 0", ctl.in_subfolder("a/b"));
    ctl.succeed(up).await.unwrap();
    let whole = folder.path().canonicalize().unwrap().join(".squall");
    let whole = whole.display();
    let found = sub.run(up).await.unwrap();
    assert!(found.stdout.starts_with(&format!("found a cluster in {whole}\n")), "{found:?}");
    for same in ["get ns -o name", "fault list", "config view"] {
        let (above, below) = (ctl.run(same).await.unwrap(), sub.run(same).await.unwrap());
        assert_eq!((above.code, above.stdout), (below.code, below.stdout), "{same}");
    }
    assert_eq!(running(&ctl).await.unwrap(), running(&sub).await.unwrap());
    // Nobody loses a cluster for being in the wrong folder.
    let refused = sub.run("cluster down --delete").await.unwrap();
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains(&format!("to delete it, add --dir {whole}")), "{refused:?}");
    sub.succeed(&format!("cluster down --delete --dir {whole}")).await.unwrap();
    assert!(!folder.path().join(".squall").exists());
}

/// Invalid options of a cluster, and their errors.
const BAD_OPTIONS: &[(&str, &str)] = &[
    ("cluster up --apiservers 0", "a cluster has 1 to 9 apiservers, not 0"),
    ("cluster up --controller-managers 999", "a cluster has 1 to 9 controller-managers, not 999"),
    ("cluster up --nodes 9999", "a cluster has 0 to 192 nodes, not 9999"),
    ("cluster up --images nosuch.yaml", "nosuch.yaml: No such file or directory (os error 2)"),
    ("cluster up --images images.yaml", "reading the images of "),
    ("cluster up --images .", "there is no image catalogue at "),
];

#[tokio::test]
async fn a_cluster_that_cannot_be_is_not_begun() {
    let (folder, ctl) = Scratch::new().unwrap();
    fs::write(folder.path().join("images.yaml"), "images: [{name: a, answer: {status: 99, body: x}}]").unwrap();
    for (command, expected) in BAD_OPTIONS {
        let output = ctl.run(command).await.unwrap();
        assert_eq!((output.stdout.as_str(), output.code), ("", 1), "{command}");
        assert!(output.stderr.starts_with(&format!("error: {expected}")), "{}", output.stderr);
        assert!(!folder.path().join(".squall").exists(), "{command}");
    }
}

#[tokio::test]
async fn a_cluster_that_is_there_is_not_brought_up_as_another() {
    let (folder, ctl) = Scratch::new().unwrap();
    let up = "cluster up --detach --apiservers 1 --controller-managers 1 --nodes 0";
    ctl.succeed(up).await.unwrap();
    for other in ["--apiservers 3", "--controller-managers 2", "--nodes 1", "--timing k8s"] {
        let output = ctl.run(&format!("cluster up --detach {other}")).await.unwrap();
        assert_eq!((output.stdout.as_str(), output.code), ("", 1), "{other}");
        let expected = "error: the cluster in .squall was created with other options; \
                        remove it with \"ctl cluster down --delete\"";
        assert!(output.stderr.starts_with(expected), "{}", output.stderr);
    }
    ctl.succeed("cluster up --detach --apiservers 1").await.unwrap();
    assert_eq!(running(&ctl).await.unwrap().len(), 2);
    ctl.succeed("cluster down").await.unwrap();
    assert_eq!(processes_in(folder.path()), [0; 0]);
}

#[tokio::test]
async fn output_that_cannot_be_written_is_a_failure() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let ctl = lab.ctl().unwrap();
    for command in ["get namespaces", "get namespaces -o yaml", "cluster status", "--help"] {
        let output = ctl.run_into("/dev/full", command).await.unwrap();
        let expected = "error: writing to standard output: No space left on device (os error 28)\n";
        assert_eq!((output.stderr.as_str(), output.code), (expected, 1), "{command}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_nothing_is_left_running() {
    let mut lab = Lab::of(1, 1, 0).await.unwrap();
    lab.cluster.down().unwrap();
    let address = lab.client.endpoints()[0].trim_start_matches("https://").to_owned();
    let taken = TcpListener::bind(&address).unwrap();
    let output = lab.ctl().unwrap().run("cluster up --detach").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains(&format!("listening on {address}: Address already in use")), "{}", output.stderr);
    for member in lab.cluster.members() {
        assert_eq!(lab.cluster.state(member).1, None, "{member} was left running");
    }
    drop(taken);
}

#[tokio::test]
async fn a_folder_of_another_version_or_a_damaged_one_is_refused() {
    let mut lab = Lab::of(1, 1, 0).await.unwrap();
    lab.cluster.down().unwrap();
    let ctl = lab.ctl().unwrap();
    let data = lab.cluster.folder().join("data/apiserver-0");

    let mark = data.join("member.json");
    let good = fs::read_to_string(&mark).unwrap();
    fs::write(&mark, good.replace("\"formatVersion\":2", "\"formatVersion\":9")).unwrap();
    let output = ctl.run("cluster up --detach").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("has format version 9, but this apiserver reads versions up to 2"),
        "{}",
        output.stderr
    );
    fs::write(&mark, good).unwrap();

    let segment = fs::read_dir(data.join("log")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&segment, bytes).unwrap();
    let output = ctl.run("cluster up --detach").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains(segment.file_name().unwrap().to_str().unwrap()), "{}", output.stderr);

    let description = lab.cluster.folder().join("cluster.json");
    let text = fs::read_to_string(&description).unwrap();
    fs::write(&description, text.replace("\"formatVersion\": 2", "\"formatVersion\": 9")).unwrap();
    let output = ctl.run("cluster status").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("is of format version 9, this program reads version 2"), "{}", output.stderr);
}
