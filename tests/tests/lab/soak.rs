//! Tests the store under faults, for up to a minute; `ctl soak` runs for any length of time.

use serde_json::Value;
use squall_tests::Ctl;

use crate::ALONE;

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    // A different seed each day would find more; this one is repeatable, and the timing varies anyway.
    let output = ctl.run("soak --seed 20 --writes 4000 --faults 20 --writers 8 -o json").await.unwrap();
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["violations"], Value::Array(Vec::new()));
    assert!(report["acknowledged"].as_u64() >= Some(4_000), "{report}");
    assert!(report["reads"].as_u64() > Some(100) && report["watched"].as_u64() > Some(1_000), "{report}");
    let faults = report["faults"].as_array().unwrap();
    let kinds: Vec<&str> = faults.iter().filter_map(|fault| fault[0].as_str()).collect();
    for kind in ["power-cut", "freeze", "kill-two", "cut-off", "reset"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
}
