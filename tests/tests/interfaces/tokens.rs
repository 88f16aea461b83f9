//! Tokens of service accounts: every member takes them, and they end with their account and with what they are bound to.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Value, json};
use squall_client::Kubeconfig;
use squall_tests::raw::{Identity, Raw};
use squall_tests::{Ctl, Lab, wait_for};

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const TOKEN: &str = "/api/v1/namespaces/default/serviceaccounts/robot/token";

fn raw(lab: &Lab) -> Raw {
    Raw::of(Kubeconfig::read(&lab.cluster.kubeconfig()).unwrap().current().unwrap()).unwrap()
}

async fn post(raw: &Raw, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let (code, answer) = raw.ask(Identity::User, "POST", path, "application/json", body.as_bytes()).await.unwrap();
    let text = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (code, serde_json::from_str(text).unwrap_or(Value::Null))
}

/// The code of a request that shows a token and no certificate.
async fn shown(raw: &Raw, token: &str, path: &str) -> u16 {
    let raw = raw.with_line(&format!("Authorization: Bearer {token}"));
    raw.ask(Identity::Anonymous, "GET", path, "application/json", b"").await.unwrap().0
}

async fn succeeds(ctl: &Ctl, words: &str) -> String {
    let output = ctl.run(words).await.unwrap();
    assert_eq!(output.code, 0, "{words}: {}", output.stderr);
    output.stdout
}

#[tokio::test]
async fn a_service_account_acts_with_its_rights_at_every_member() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let (ctl, raw) = (lab.ctl().unwrap(), raw(&lab));
    succeeds(&ctl, "create sa robot").await;
    succeeds(&ctl, "create role reader --verb=get,list --resource=configmaps").await;
    succeeds(&ctl, "create rolebinding readers --role=reader --serviceaccount=default:robot").await;
    let kubeconfig = succeeds(&ctl, "create token robot -o kubeconfig").await;
    let file = lab.cluster.folder().join("robot.kubeconfig");
    std::fs::write(&file, kubeconfig).unwrap();
    let acting = |words: &str, member: usize| {
        format!("--kubeconfig {} -s {} {words}", file.display(), lab.cluster.apiserver_url(member))
    };
    for member in 0..3 {
        let allowed = wait_for("a member that knows the account's rights", || async {
            let output = ctl.run(&acting("get cm -o name", member)).await.unwrap();
            if output.code == 0 { Ok(output.stdout) } else { Err(output.stderr) }
        });
        assert_eq!(allowed.await.unwrap(), "configmap/kube-root-ca.crt\n");
        let refused = ctl.run(&acting("get secrets", member)).await.unwrap();
        let name = "User \"system:serviceaccount:default:robot\" cannot list resource \"secrets\"";
        assert!(refused.code == 1 && refused.stderr.contains(name), "{refused:?}");
    }
    // The key stays: a member that starts again takes the same tokens.
    succeeds(&ctl, "cluster restart apiserver-0 --dir .squall").await;
    let back = wait_for("the restarted member", || async {
        let output = ctl.run(&acting("get cm -o name", 0)).await.unwrap();
        if output.code == 0 { Ok(()) } else { Err(output.stderr) }
    });
    back.await.unwrap();

    let token = succeeds(&ctl, "create token robot").await;
    let maps = "/api/v1/namespaces/default/configmaps";
    assert_eq!(shown(&raw, token.trim(), maps).await, 200);
    succeeds(&ctl, "delete sa robot").await;
    let ended = wait_for("the end of the token", || async {
        let code = shown(&raw, token.trim(), maps).await;
        if code == 401 { Ok(()) } else { Err(code) }
    });
    ended.await.unwrap();
    succeeds(&ctl, "create sa robot").await;
    assert_eq!(shown(&raw, token.trim(), maps).await, 401, "the token was of an earlier account of this name");
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_not_taken_for_nobody() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let (ctl, raw) = (lab.ctl().unwrap(), raw(&lab));
    succeeds(&ctl, "create sa robot").await;
    let token = succeeds(&ctl, "create token robot").await;
    let (head, tail) = token.trim().rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", tail.chars().rev().collect::<String>());
    for bad in ["x", "a.b.c", &forged, &"x".repeat(20_000)] {
        assert_eq!(shown(&raw, bad, "/version").await, 401, "{bad:.30}");
    }
    let other = raw.with_line("Authorization: Basic YTpi");
    assert_eq!(other.ask(Identity::Anonymous, "GET", "/version", "", b"").await.unwrap().0, 200, "another scheme");
    assert_eq!(shown(&raw, token.trim(), "/version").await, 200);
}

#[tokio::test]
async fn a_request_and_a_review_of_a_token_answer_as_in_kubernetes() {
    let lab = Lab::of(1, 1, 1).await.unwrap();
    let (ctl, raw) = (lab.ctl().unwrap(), raw(&lab));
    succeeds(&ctl, "create sa robot").await;
    let review = async |token: &str, audiences: &[&str]| {
        post(&raw, REVIEWS, &json!({"spec": {"token": token, "audiences": audiences}})).await.1["status"].clone()
    };
    let (code, issued) = post(&raw, TOKEN, &json!({"spec": {"audiences": ["vault"], "expirationSeconds": 700}})).await;
    assert_eq!((code, &issued["kind"], &issued["metadata"]["name"]), (201, &json!("TokenRequest"), &json!("robot")));
    let token = issued["status"]["token"].as_str().unwrap();
    let of_vault = review(token, &["vault", "x"]).await;
    assert_eq!((&of_vault["authenticated"], &of_vault["audiences"]), (&json!(true), &json!(["vault"])));
    assert_eq!(of_vault["user"]["username"], "system:serviceaccount:default:robot");
    let refused = review(token, &[]).await;
    assert!(refused["authenticated"].is_null() && refused["error"] == "the token is for others", "{refused}");
    assert_eq!(shown(&raw, token, "/version").await, 401);
    for (spec, expected) in [(json!({"expirationSeconds": 60}), 422), (json!({"boundObjectRef": {"kind": "Job"}}), 400)]
    {
        assert_eq!(post(&raw, TOKEN, &json!({"spec": spec})).await.0, expected, "{spec}");
    }
    let of_nobody = TOKEN.replace("robot", "nobody");
    assert_eq!(post(&raw, &of_nobody, &json!({})).await.0, 404);

    lab.create(
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {serviceAccountName: robot, \
         terminationGracePeriodSeconds: 0, containers: [{name: a, image: registry.k8s.io/pause}]}}",
    )
    .await
    .unwrap();
    let bound = json!({"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}});
    let (code, issued) = post(&raw, TOKEN, &bound).await;
    assert_eq!(code, 201, "{issued}");
    let token = issued["status"]["token"].as_str().unwrap();
    assert_eq!(review(token, &[]).await["authenticated"], true);
    succeeds(&ctl, "delete pod p --force --grace-period=0").await;
    let ended = wait_for("the end of the pod's token", || async {
        let status = review(token, &[]).await;
        if status["authenticated"].is_null() { Ok(()) } else { Err(status) }
    });
    ended.await.unwrap();
}
