//! The planted bugs are in no release: the program is built without the feature, and without debug assertions
//! nothing would switch them on.

use std::process::Command;

#[test]
fn the_program_is_built_without_planted_bugs() {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let arguments =
        ["tree", "--offline", "-p", "stentor-server", "-e", "normal,build,features", "--prefix", "none"];
    let output = Command::new(cargo).args(arguments).output().expect("cargo runs, since it runs this");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(tree.contains("stentor-engine"), "the program has the engine:\n{tree}");
    assert!(!tree.contains("feature \"planted\""), "the program has planted bugs:\n{tree}");
}
