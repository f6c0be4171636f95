//! The servers and programs that tests use, and where each comes from.

use std::path::PathBuf;

/// A program from Debian's packages.
pub(crate) struct Package {
    /// The program.
    pub(crate) program: &'static str,
    /// The package it is in.
    pub(crate) name: &'static str,
    /// What is skipped without it.
    pub(crate) needed_for: &'static str,
}

/// The packages, in the order in which they are looked for.
pub(crate) const PACKAGES: [Package; 5] = [
    Package { program: "sshd", name: "openssh-server", needed_for: "Git over SSH" },
    Package { program: "gpg", name: "gnupg", needed_for: "verifying OpenPGP signatures" },
    Package {
        program: "docker-registry",
        name: "docker-registry",
        needed_for: "a registry that is not our own",
    },
    Package {
        program: "prometheus",
        name: "prometheus",
        needed_for: "metric gates on a real Prometheus",
    },
    Package { program: "python3", name: "python3", needed_for: "comparing CRDs with upstream's" },
];

/// A server that is built from a Go module of `tests/tools`.
pub(crate) struct Server {
    /// Folder below `tests/tools`.
    pub(crate) module: &'static str,
    /// Folder in the cache, with the version.
    pub(crate) folder: &'static str,
    /// Import path and name of each program.
    pub(crate) programs: &'static [(&'static str, &'static str)],
    /// What the linker is told.
    pub(crate) linker: &'static str,
    /// Build tags; with any, C is compiled along.
    pub(crate) tags: &'static str,
    /// Folders of the first program's module that it needs to run.
    pub(crate) data: &'static [&'static str],
    /// What is skipped without it.
    pub(crate) needed_for: &'static str,
    /// Built for the long run only: it takes long itself, for little.
    pub(crate) long: bool,
}

/// The servers, the quick ones first.
pub(crate) const SERVERS: [Server; 10] = [
    Server {
        module: "gofakes3",
        folder: "gofakes3-v1.2.0",
        programs: &[("github.com/johannesboyne/gofakes3/cmd/gofakes3", "gofakes3")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "buckets on an S3 server",
        long: false,
    },
    Server {
        module: "fakegcs",
        folder: "fakegcs-v1.52.2",
        programs: &[("github.com/fsouza/fake-gcs-server", "fake-gcs-server")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "buckets on a server of Google's kind",
        long: false,
    },
    Server {
        module: "krusty",
        folder: "krusty-v0.20.1",
        programs: &[(".", "krusty")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "figures of the kustomize engine beside kustomize's own",
        long: true,
    },
    Server {
        module: "notation",
        folder: "notation-v1.3.2",
        programs: &[("github.com/notaryproject/notation/cmd/notation", "notation")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "verifying what notation signs",
        long: false,
    },
    Server {
        module: "etcd",
        folder: "etcd-v3.6.6",
        programs: &[("go.etcd.io/etcd/server/v3", "etcd")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "tests on a real API server",
        long: false,
    },
    Server {
        module: "kubernetes",
        folder: "kubernetes-v1.34.2",
        programs: &[
            ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
            ("k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
            ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
        ],
        // Without a version the server calls itself v0.0.0 and clients refuse it.
        linker: "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.2 \
            -X k8s.io/component-base/version.gitMajor=1 \
            -X k8s.io/component-base/version.gitMinor=34",
        tags: "",
        data: &[],
        needed_for: "tests on a real API server",
        long: false,
    },
    Server {
        module: "helm",
        folder: "helm-v3.19.2",
        programs: &[("helm.sh/helm/v3/cmd/helm", "helm"), ("sluice/tools/helm/engine", "engine")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "stock helm on our releases, and figures against it",
        long: false,
    },
    Server {
        module: "gitea",
        folder: "gitea-v1.25.2",
        programs: &[("code.gitea.io/gitea", "gitea")],
        linker: "-s -w",
        tags: "sqlite sqlite_unlock_notify",
        data: &["options", "public", "templates"],
        needed_for: "pull requests and commit statuses on a real forge",
        long: false,
    },
    Server {
        module: "cosign2",
        folder: "cosign-v2.5.2",
        programs: &[("github.com/sigstore/cosign/v2/cmd/cosign", "cosign")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "verifying what cosign 2 signs",
        long: true,
    },
    Server {
        module: "cosign3",
        folder: "cosign-v3.0.2",
        programs: &[("github.com/sigstore/cosign/v3/cmd/cosign", "cosign")],
        linker: "-s -w",
        tags: "",
        data: &[],
        needed_for: "verifying what cosign 3 signs",
        long: true,
    },
];

/// A server that is installed from the packages that a folder of `tests/tools` locks.
pub(crate) struct Script {
    /// Folder below `tests/tools`, with package.json and its lock.
    pub(crate) module: &'static str,
    /// Folder in the cache, with the version.
    pub(crate) folder: &'static str,
    /// The file to run, below that.
    pub(crate) main: &'static str,
    /// What is skipped without it.
    pub(crate) needed_for: &'static str,
}

/// The servers that run on Node.js.
pub(crate) const SCRIPTS: [Script; 1] = [Script {
    module: "azurite",
    folder: "azurite-v3.35.0",
    main: "node_modules/azurite/dist/src/blob/main.js",
    needed_for: "buckets on a server of Azure's kind",
}];

/// Where built servers are kept: `$SLUICE_CACHE`, else `sluice` in the user's cache folder.
pub(crate) fn cache() -> PathBuf {
    if let Some(folder) = std::env::var_os("SLUICE_CACHE") {
        return folder.into();
    }
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| home.join(".cache"), PathBuf::from)
        .join("sluice")
}
