//! Gets what the tests need and the machine lacks. What cannot be had is reported by name; the
//! tests that need it then report themselves skipped.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    run::{has, output, run as start, run_in},
    tool::{self, PACKAGES, Package, SCRIPTS, SERVERS, Script, Server},
};

/// Looks for everything, gets what is missing; `long` adds what only the long run builds.
pub(crate) fn run(long: bool) -> Result<()> {
    packages()?;
    servers(long);
    scripts();
    Ok(())
}

fn packages() -> Result<()> {
    let missing: Vec<&Package> = PACKAGES.iter().filter(|package| !has(package.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !has("apt-get") || output("id", &["-u"]).as_deref() != Some("0") {
        for package in missing {
            skipped(package.name, "only root can install Debian packages", package.needed_for);
        }
        return Ok(());
    }
    println!("setup: installing {}", names(&missing));
    // An old index is good enough if the new one cannot be had.
    let _ = start("apt-get", &["update", "-qq"]);
    for package in missing {
        install(package)?;
    }
    Ok(())
}

fn install(package: &Package) -> Result<()> {
    let mut apt = Command::new("apt-get");
    // Servers are started by the tests, on ports of their own.
    let policy = forbid_services()?;
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    let installed =
        run_in(&mut apt, &["install", "-y", "-qq", "--no-install-recommends", package.name]);
    drop(policy);
    if let Err(error) = installed {
        skipped(package.name, &format!("{error:#}"), package.needed_for);
    }
    Ok(())
}

/// Keeps package scripts from starting services, for as long as the answer lives.
fn forbid_services() -> Result<Option<Policy>> {
    let path = Path::new("/usr/sbin/policy-rc.d");
    if path.exists() {
        return Ok(None);
    }
    std::fs::write(path, "#!/bin/sh\nexit 101\n").context("cannot write policy-rc.d")?;
    start("chmod", &["755", "/usr/sbin/policy-rc.d"])?;
    Ok(Some(Policy))
}

struct Policy;

impl Drop for Policy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file("/usr/sbin/policy-rc.d");
    }
}

fn servers(long: bool) {
    for server in SERVERS.iter().filter(|it| long || !it.long) {
        let absent: Vec<_> = server
            .programs
            .iter()
            .filter(|(package, name)| !is_there(server, package, name))
            .collect();
        if absent.is_empty() {
            continue;
        }
        if !has("go") {
            for (_, name) in absent {
                skipped(name, "there is no Go to build it with", server.needed_for);
            }
            continue;
        }
        for (package, name) in absent {
            if let Err(error) = build(server, package, name) {
                skipped(name, &format!("{error:#}"), server.needed_for);
            }
        }
    }
}

fn is_there(server: &Server, package: &str, name: &str) -> bool {
    let given = std::env::var_os("KUBEBUILDER_ASSETS");
    let folder = tool::cache().join(server.folder);
    given.is_some_and(|folder| Path::new(&folder).join(name).is_file())
        || (is_current(server, package, &folder.join(name))
            && server.data.iter().all(|it| folder.join(it).is_dir()))
}

/// Whether a program is built; one of our own, which no version tells apart, since it was written.
fn is_current(server: &Server, package: &str, program: &Path) -> bool {
    let written = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
    let tools = crate::root().join("tests/tools");
    let source = match package.strip_prefix("sluice/tools/") {
        Some(own) => tools.join(own).join("main.go"),
        None => tools.join(server.module).join(package).join("main.go"),
    };
    written(program).is_some_and(|built| written(&source).is_none_or(|it| it <= built))
}

fn build(server: &Server, package: &str, name: &str) -> Result<()> {
    let folder = tool::cache().join(server.folder);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    println!("setup: building {name} into {} (this takes minutes, once)", folder.display());
    let unfinished = folder.join(format!("{name}.part"));
    let target = unfinished.display().to_string();
    let options = ["-ldflags", server.linker, "-tags", server.tags, "-o", &target, package];
    run_in(&mut go(server), &[&["build"], &options[..]].concat())?;
    data(server, package, &folder)?;
    std::fs::rename(&unfinished, folder.join(name))?;
    Ok(())
}

fn go(server: &Server) -> Command {
    let mut go = Command::new("go");
    go.current_dir(crate::root().join("tests/tools").join(server.module))
        .env("CGO_ENABLED", if server.tags.is_empty() { "0" } else { "1" })
        .env("GOFLAGS", "-trimpath -buildvcs=false -mod=readonly");
    go
}

/// Copies what a program needs to run out of its module.
fn data(server: &Server, package: &str, folder: &Path) -> Result<()> {
    if server.data.is_empty() {
        return Ok(());
    }
    let listed = go(server).args(["list", "-m", "-f", "{{.Dir}}", package]).output()?;
    let module = String::from_utf8(listed.stdout).context("the module's folder is no text")?;
    for name in server.data {
        let from = Path::new(module.trim()).join(name).display().to_string();
        // A module is read-only, a cache is not.
        start("cp", &["-r", "--no-preserve=mode", &from, &folder.display().to_string()])?;
    }
    Ok(())
}

fn scripts() {
    for script in &SCRIPTS {
        if tool::cache().join(script.folder).join(script.main).is_file() {
            continue;
        }
        let done = if has("node") && has("npm") {
            install_locked(script).map_err(|error| format!("{error:#}"))
        } else {
            Err("there is no Node.js to run it with".to_owned())
        };
        if let Err(why) = done {
            skipped(script.module, &why, script.needed_for);
        }
    }
}

/// Installs what the lock names; scripts of packages do not run.
fn install_locked(script: &Script) -> Result<()> {
    let folder = tool::cache().join(script.folder);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    println!("setup: installing {} into {}", script.module, folder.display());
    let from = crate::root().join("tests/tools").join(script.module);
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(name), folder.join(name))
            .with_context(|| format!("cannot copy {name} of {}", script.module))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder);
    run_in(&mut npm, &["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
}

fn skipped(name: &str, why: &str, needed_for: &str) {
    println!("setup: skipped: {name} ({why}); without it: {needed_for}");
}

fn names(packages: &[&Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(", ")
}
