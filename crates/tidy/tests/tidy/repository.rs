//! The files of the repository, and what cargo knows about its packages.

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate stands two folders below the root").to_owned()
}

/// All packages of the workspace and what they need, on every platform, with every feature.
pub(crate) fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| all_features("Cargo.toml", &["--locked"]))
}

/// The same of the fuzz targets, which are a workspace of their own.
fn fuzz_metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        // As `scripts/fuzz` does it: the versions that are shipped, to which cargo adds what only the targets need.
        fs::copy(root().join("Cargo.lock"), root().join("fuzz/Cargo.lock"))
            .expect("the folder can be written to");
        all_features("fuzz/Cargo.toml", &[])
    })
}

fn all_features(manifest: &str, options: &[&str]) -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join(manifest)).features(CargoOpt::AllFeatures);
    command.other_options(options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>());
    command.exec().expect("cargo metadata answers")
}

/// Everything that is needed to build what is here: by the workspace, and by the fuzz targets.
pub(crate) fn packages() -> impl Iterator<Item = &'static Package> {
    metadata().packages.iter().chain(&fuzz_metadata().packages)
}

/// The packages of the workspace.
pub(crate) fn members() -> Vec<&'static Package> {
    metadata().workspace_packages()
}

/// A package's name without the prefix that all of ours share.
pub(crate) fn short(package: &str) -> &str {
    package.strip_prefix("stentor-").unwrap_or(package)
}

/// A file that is part of the repository.
pub(crate) struct Text {
    /// Its path from the root.
    pub(crate) path: String,
    pub(crate) content: String,
}

/// Every text file that git knows or would add. Empty files and those that are not UTF-8 are left out.
pub(crate) fn texts() -> &'static [Text] {
    static TEXTS: OnceLock<Vec<Text>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(root());
        let listed = git.output().expect("git is there").stdout;
        let listed = String::from_utf8(listed).expect("paths are UTF-8");
        assert!(listed.contains("Cargo.toml"), "git does not list the files of {}", root().display());
        listed.lines().filter_map(text).collect()
    })
}

fn text(path: &str) -> Option<Text> {
    let content = fs::read_to_string(root().join(path)).ok().filter(|content| !content.is_empty())?;
    Some(Text { path: path.to_owned(), content })
}

/// The Rust sources.
pub(crate) fn rust() -> impl Iterator<Item = &'static Text> {
    texts().iter().filter(|text| text.path.ends_with(".rs"))
}

impl Text {
    /// The crate in `crates/` that the file belongs to.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whether all of it is a test.
    pub(crate) fn is_test(&self) -> bool {
        let folders = ["/tests/", "/benches/", "/examples/", "cluster-tests/"];
        folders.iter().any(|folder| self.path.contains(folder))
            || ["/tests.rs", "_tests.rs"].iter().any(|name| self.path.ends_with(name))
    }

    /// Lines of code. Comments are left out. A test module inside a file is at its end.
    pub(crate) fn code(&self) -> Code<'_> {
        let lines = self.content.lines().enumerate().map(|(index, line)| (index + 1, line));
        let lines: Vec<_> = lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect();
        let opens_tests = |two: &[(usize, &str)]| matches!(two, [(_, "#[cfg(test)]"), (_, module)] if module.trim_end().ends_with('{'));
        let inside = lines.windows(2).position(opens_tests);
        let split = if self.is_test() { 0 } else { inside.unwrap_or(lines.len()) };
        let (ships, tests) = lines.split_at(split);
        Code { ships: ships.to_vec(), tests: tests.to_vec() }
    }
}

/// Lines with their numbers.
pub(crate) struct Code<'a> {
    pub(crate) ships: Vec<(usize, &'a str)>,
    pub(crate) tests: Vec<(usize, &'a str)>,
}
