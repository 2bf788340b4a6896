-- Prosody for scripts/compare: what a chat server needs, no limits, quiet, nothing archived. @NAMES@ are filled in.
data_path = "@DATA@"
pidfile = "@DATA@/prosody.pid"
interfaces = { "127.0.0.1" }
c2s_ports = { @PORT@ }
c2s_direct_tls_ports = { @TLS_PORT@ }
network_backend = "@BACKEND@"

modules_enabled = {
	"carbons";
	"disco";
	"ping";
	"register";
	"roster";
	"saslauth";
	"smacks";
	"tls";
}
-- No federation is measured. The limits module is not loaded.
modules_disabled = { "s2s" }

allow_registration = true
authentication = "internal_hashed"
password_hash = "SHA-256"
c2s_require_encryption = true

log = { warn = "@DATA@/prosody.log" }

ssl = { certificate = "@CERTIFICATE@"; key = "@KEY@" }

VirtualHost "@DOMAIN@"
