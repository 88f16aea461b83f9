//! Tests the demo as a script would run it.

use serde_json::Value;
use squall_tests::Ctl;

use crate::ALONE;

#[tokio::test]
async fn the_demo_passes_and_its_figures_say_what_happened() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let output = Ctl::in_folder(folder.path()).unwrap().run("demo -o json").await.unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    let summary: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(summary["reasons"], Value::Array(Vec::new()));
    assert_eq!(summary["failedRequests"], 0);
    assert!(summary["requests"]["v1"].as_u64() > Some(0) && summary["requests"]["v2"].as_u64() > Some(0), "{summary}");
    let faults = summary["faults"].as_array().unwrap();
    let killed: Vec<&str> = faults.iter().filter_map(|fault| fault["killed"].as_str()).collect();
    assert!(killed[0].starts_with("apiserver-") && killed[1].starts_with("controller-manager-"), "{killed:?}");
    assert!(faults.iter().all(|fault| fault["killed"] != fault["successor"]), "{faults:?}");
    assert!(summary["verdict"]["changes"].as_u64() > Some(30), "{summary}");
    assert!(output.stderr.contains("both leaders killed"), "progress goes to standard error: {}", output.stderr);
}
