# What the scripts need on a machine, brought there if it is missing. To be sourced at the root of the repository.
# Everything here is quiet when nothing is missing.

# Says what happens, apart from what programs print.
say() {
    printf '== %s\n' "$*"
}

# Ends the script: what went wrong, and what to do.
give_up() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# need_program PROGRAM PACKAGE...: installs Debian's packages if there is no PROGRAM.
need_program() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return
    local as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    command -v apt-get >/dev/null || give_up "$program is missing; install it and try again"
    [ -z "$as_root" ] || command -v sudo >/dev/null ||
        give_up "$program is missing; install it, for example with apt-get install $*"
    say "installing $*"
    local apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get"
    local install="$apt install --yes --no-install-recommends $*"
    # The list of packages may be old, or none.
    $install >/dev/null 2>&1 || { $apt update >/dev/null && $install >/dev/null; } || give_up "cannot install $*"
}

# need_oracles: Python with lxml in target/oracles, and Java, for the parsers that ours is compared with. Without them
# those tests are skipped and say so.
need_oracles() {
    local folder=${CARGO_TARGET_DIR:-$PWD/target}/oracles list=crates/xml/tests/differential/requirements.txt
    command -v javac >/dev/null || (need_program javac default-jdk-headless) || true
    cmp --silent "$list" "$folder/installed" && return
    command -v python3 >/dev/null || (need_program python3 python3) || return 0
    # Debian keeps a part of the module in a package of its own.
    python3 -m venv --clear "$folder" >/dev/null 2>&1 || {
        (need_program python3-venv python3-venv) || true
        python3 -m venv --clear "$folder" || return 0
    }
    say "installing $(tr '\n' ' ' <"$list")"
    "$folder/bin/python" -m pip install --quiet --no-compile --requirement "$list" && cp "$list" "$folder/installed" ||
        say "lxml cannot be installed; the tests with it will be skipped"
}

# The version that rust-toolchain.toml names.
rust_wanted() {
    sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml
}

# Whether cargo, called here, is of the version that is wanted. The question alone installs nothing.
rust_is_there() {
    RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null | grep -q "^cargo $(rust_wanted) "
}

# Rust is not there and does not come: what is there, and what to do.
no_rust() {
    local found
    found=$(RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null | cut -d' ' -f1,2) || true
    give_up "Rust $(rust_wanted) cannot be installed${found:+ (this machine has $found, which is another version)};" \
        "install that version (https://rustup.rs) and try again"
}

# need_rust [COMPONENT...]: a compiler of the version that rust-toolchain.toml names, by whatever name it is installed.
need_rust() {
    need_program cc gcc libc6-dev
    # The distribution's cargo, of another version, must not stand before rustup's.
    rust_is_there || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    if ! rust_is_there && command -v rustup >/dev/null; then
        local name
        for name in $(rustup toolchain list | cut -d' ' -f1); do
            RUSTUP_TOOLCHAIN=$name rust_is_there && export RUSTUP_TOOLCHAIN="$name" && break
        done
    fi
    if ! rust_is_there; then
        say "installing Rust $(rust_wanted)"
        if ! command -v rustup >/dev/null; then
            need_program curl curl ca-certificates
            curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
                RUSTUP_INIT_SKIP_PATH_CHECK=yes sh -s -- -y --quiet --no-modify-path --profile minimal \
                    --default-toolchain none || no_rust
        fi
        rustup toolchain install "$(rust_wanted)" --profile minimal || no_rust
        rust_is_there || no_rust
    fi
    local component
    for component in "$@"; do
        cargo "$component" --version >/dev/null 2>&1 || rustup component add "${component/fmt/rustfmt}" ||
            give_up "cargo $component is missing"
    done
}
