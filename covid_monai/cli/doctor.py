"""``covid-monai doctor``: what this installation and machine have."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from covid_monai.environment import Requirement

_GIB = 2**30
_OF_DEVELOPERS = ("docs", "test")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say what this installation and machine have, and what is missing.

    Versions, devices and their number formats, threads, memory, free disk in the current folder, optional parts and
    how to get them. Exit status 1 when a package that is needed is missing, broken or outside its bounds.
    """
    report = _examine()
    click.echo(json.dumps(report, indent=2) if as_json else _text(report))
    if report["problems"]:
        ctx.exit(1)


def _examine() -> dict[str, Any]:
    from covid_monai.environment import (
        describe_devices,
        describe_environment,
        describe_machine,
        installation,
        pip_command,
    )

    requirements = installation()
    needed = [requirement for requirement in requirements if not requirement.extra]
    problems = [_problem(entry) for entry in needed if entry.state != "ok"]
    packages = [entry for entry in needed if entry.state != "ok" and entry.name != "python"]
    environment: dict[str, Any] | None = None
    devices: list[dict[str, Any]] = []
    try:
        environment, devices = describe_environment(), describe_devices()
    # a library that a package was built against can be absent or of another version
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        problems.append(f"torch or monai cannot be used: {' '.join(str(error).split())[:300]}; install them again")
    extras = dict.fromkeys(requirement.extra for requirement in requirements if requirement.extra)
    return {
        "format": "covid-monai doctor",
        "version": 1,
        "problems": problems,
        "repair": pip_command(packages) if packages else None,
        "machine": describe_machine(),
        "environment": environment,
        "devices": devices,
        "requirements": [vars(entry) for entry in needed],
        "optional": [
            _extra(name, [requirement for requirement in requirements if requirement.extra == name]) for name in extras
        ],
    }


def _problem(requirement: "Requirement") -> str:
    if requirement.installed is None:
        return f"{requirement.name} is missing (needed: {requirement.allowed or 'any version'})"
    return f"{requirement.name} is {requirement.installed}, needed: {requirement.allowed}"


def _extra(name: str, requirements: "list[Requirement]") -> dict[str, Any]:
    from covid_monai.environment import pip_command

    lacking = [requirement for requirement in requirements if requirement.state != "ok"]
    return {
        "name": name,
        "complete": not lacking,
        "lacking": [_problem(entry) for entry in lacking],
        "install": pip_command(lacking) if lacking else None,
        "requirements": [vars(requirement) for requirement in requirements],
    }


def _text(report: dict[str, Any]) -> str:
    machine, environment = report["machine"], report["environment"]
    lines = [
        ("system", machine["system"]),
        ("processor", f"{machine['processor']}, {machine['processors']} usable"),
        ("memory", f"{_gib(machine['memory_available_bytes'])} free of {_gib(machine['memory_bytes'])}"),
        ("disk", f"{_gib(machine['disk_free_bytes'])} free in {machine['folder']}"),
    ]
    if environment is not None:
        capabilities = environment["cpu_capabilities"]
        lines += [
            ("threads", f"{environment['threads']} of torch"),
            ("vector units", ", ".join(capabilities) or "none that torch names"),
            ("bfloat16 units", _units(capabilities)),
        ]
    for device in report["devices"]:
        size = f", {_gib(device['memory_bytes'])}" if device["memory_bytes"] else ""
        precision = "bfloat16" if device["auto_is_bfloat16"] else "float32"
        lines.append((device["device"], f"{device['name']}{size}; precision auto is {precision}"))
    version = environment["packages"]["covid-monai"] if environment else ""
    lines.append(("covid-monai", version or "installed"))
    for requirement in report["requirements"]:
        mark = "" if requirement["state"] == "ok" else f"  <- {requirement['state']}"
        lines.append(
            (
                requirement["name"],
                f"{requirement['installed'] or '-'}  ({requirement['allowed'] or 'any version'}){mark}",
            )
        )
    for entry in report["optional"]:
        if entry["name"] in _OF_DEVELOPERS and not entry["complete"]:
            words = "not complete; for work on the package itself, by `make install` in its checkout"
        elif not entry["complete"]:
            words = f"{'; '.join(entry['lacking'])}. To get it: {entry['install']}"
        else:
            words = "complete"
        lines.append((f"optional: {entry['name']}", words))
    width = max(len(heading) for heading, _ in lines)
    text = [f"{heading:<{width}}  {value}" for heading, value in lines]
    text += [f"problem: {problem}" for problem in report["problems"]] or ["no problem found"]
    if report["repair"]:
        text.append(f"to repair: {report['repair']}")
    return "\n".join(text)


def _units(capabilities: list[str]) -> str:
    return ", ".join(f"{name} {'yes' if name in capabilities else 'no'}" for name in ("avx512_bf16", "amx_bf16"))


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / _GIB:.1f} GiB"
