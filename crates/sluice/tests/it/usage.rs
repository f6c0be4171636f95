//! Wrong usage, completion, and output that nobody reads.

use std::process::Stdio;

use crate::program::{at, finish, sluice};

#[test]
fn wrong_usage_ends_with_2() {
    for (arguments, said) in [
        (vec!["runn"], "a similar subcommand exists: 'run'"),
        (vec!["run", "--concurrent=many"], "invalid value 'many' for '--concurrent"),
        (vec!["run", "--metrics-addr=8080"], "write it like :8080"),
        (vec!["run", "--watch-label-selector=a=b=c"], "write it like key=value"),
        (vec!["up", "--until", "ready", "--timeout", "soon"], "write it like 30s"),
        (vec!["up", "--timeout", "3s"], "--until"),
        (vec!["run", "--controllers=all"], "[possible values: source-controller, "),
        (vec!["registry", "app"], "must read name=tag,tag"),
    ] {
        let outcome = finish(sluice(&arguments));
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(said), "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
    }
}

#[test]
fn completes_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let outcome = finish(sluice(&["completion", shell]));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(outcome.stdout.contains("registry"), "{shell}: {}", outcome.stdout);
    }
}

#[test]
fn says_its_version() {
    for (form, said) in
        [("text", "sluice 0."), ("json", "{\"version\":\"0."), ("yaml", "version: ")]
    {
        let outcome = finish(sluice(&["version", "--output", form]));
        assert_eq!(outcome.code, Some(0));
        assert!(outcome.stdout.starts_with(said), "{}", outcome.stdout);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = sluice(&["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn no_api_server_is_told_in_the_form_of_the_log() {
    let outcome = finish(sluice(&["run", "--metrics-addr=0", "--health-addr=0"]));
    assert_eq!(outcome.code, Some(1));
    let line: serde_json::Value = serde_json::from_str(outcome.stderr.trim()).unwrap();
    assert_eq!(line["level"], "error");
    assert_eq!(line["msg"], "problem running manager");
    assert!(line["error"].as_str().unwrap().starts_with("there is no API server: set KUBECONFIG"));

    let mut alone = sluice(&["run", "--watch-all-namespaces=false"]);
    alone.env("RUNTIME_NAMESPACE", "");
    assert!(finish(alone).stderr.contains("needs RUNTIME_NAMESPACE"));
    let gate = finish(sluice(&["run", "--feature-gates=Nope=true"]));
    assert!(gate.stderr.contains("feature gate 'Nope' not supported"));
}

#[test]
fn plays_the_role_it_is_called_by() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("image-automation-controller");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), &program).unwrap();
    let outcome = finish(at(&program, &["--kubeconfig=/nonexistent/kubeconfig"]));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("cannot use the kubeconfig /nonexistent/kubeconfig"));
    assert_eq!(finish(at(&program, &["up"])).code, Some(2));
}
