"""What a cluster's clients see of a member that is killed: scripts/compare --cluster --killed."""

import json
import subprocess
import sys
import time

# Between the first message and the kill.
BEFORE_SECONDS = 5
# One of so many stays away, for longer than its stream is kept, so that contacts are told.
STAY_AWAY = 10
RESUME_SECONDS, AWAY_SECONDS = 15, 30


def measure(server, clients):
    """The report of clients that chat while the second member is killed."""
    with server.running():
        command = server.load_command(
            "failover", "--clients", clients, "--rate", clients, "--seconds", BEFORE_SECONDS + AWAY_SECONDS + 10,
            "--stay-away", STAY_AWAY, "--resume-away", RESUME_SECONDS, "--away", AWAY_SECONDS,
        )
        command.remove("--quiet")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "  sent " in line and "  sent 0  " not in line:
                break
        time.sleep(BEFORE_SECONDS)
        server.kill_second()
        output, errors = process.communicate()
    if not output.startswith("{"):
        sys.exit(f"{server.name}: failover: {errors}{output}")
    return json.loads(output)


def markdown(reports):
    """A column for each server, by name."""
    def milliseconds(value):
        return "" if value is None else f"{value:,.0f} ms"

    lines = [
        ("messages sent", lambda report: f"{report['check']['sent']:,}"),
        ("lost, doubled, out of order", lambda report: ", ".join(
            f"{report['check'][kind]:,}" for kind in ["lost", "doubled", "out_of_order"])),
        ("clients that lost their connection", lambda report: report["failover"]["affected"]),
        ("of their streams: resumed; refused with the exact count handled; without", lambda report: "; ".join(
            str(report["failover"][kind]) for kind in ["resumed", "failed_with_h", "failed_without_h"])),
        ("contacts told once of those who stayed away", lambda report: "{once} of {expected}".format(
            **report["failover"]["unavailable"]["away"])),
        ("first client back, with all it sent acknowledged",
         lambda report: milliseconds(report["failover"]["first_success_milliseconds"])),
        ("last client back", lambda report: milliseconds(report["failover"]["last_success_milliseconds"])),
        ("longest wait for an acknowledgement on a connection that stood", lambda report: milliseconds(
            (report["failover"].get("acknowledged_milliseconds") or {}).get("max"))),
        ("latency of a message, 99th percentile",
         lambda report: milliseconds(report["latency_milliseconds"] and report["latency_milliseconds"]["p99"])),
    ]
    text = "| | " + " | ".join(reports) + " |\n|---|" + "---:|" * len(reports) + "\n"
    for title, figure in lines:
        text += f"| {title} | " + " | ".join(str(figure(report)) for report in reports.values()) + " |\n"
    return text
