#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's packages of a build: made by the commands of the operator's guide, and compared with contents.txt; unpacked over the first release; taken apart into
one root, where the programs run with the module, the pages are there, the user can be made, logrotate understands its
part, bash completes, and both units are as closed as docs/packages.md says. Takes about 30 s. Needs dpkg-dev and file; what systemd, logrotate
or man would check is left out where they are not installed.

  check.py BUILD [--write]    --write writes contents.txt anew
"""
import difflib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CONTENTS = HERE / "contents.txt"
PACKAGING = HERE.parent.parent / "packaging"
DOCS = HERE.parent.parent / "docs/packages.md"
GUIDE = HERE.parent.parent / "docs/operator-guide.md"
SCRIPTS = HERE.parent.parent / "scripts"
MODULE = "usr/lib/gatekey/gatekey.so"
UNITS = ("gatekey", "keyvaultd")
SKIPPED = 77


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ends with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def make(build, place):
    """By the guide's commands, where everything is built already, and apt says what it would install, and no more."""
    release = place / "source/build/release"
    release.mkdir(parents=True)
    (place / "source/scripts").symlink_to(SCRIPTS)
    shutil.copy(pathlib.Path(build, "CPackConfig.cmake"), release)
    commands = re.search(r"^## 1\. Install$.*?^```sh\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)[1]
    assert "cpack" in commands and "apt install" in commands, commands
    run("bash", "-euo", "pipefail", "-c",
        f'cmake() {{ :; }}; apt() {{ apt-get --simulate "$@"; }}\n{commands}', cwd=place / "source")
    return sorted(release.glob("*.deb"))


def listing(package):
    """Modes, owners and names, without sizes and times."""
    files = []
    for line in run("dpkg-deb", "-c", package).splitlines():
        mode, owner, _, _, _, name = line.split(maxsplit=5)
        files.append(f"  {mode} {owner} {name}")
    return [package.name.split("_")[0]] + sorted(files, key=lambda line: line.split()[2])


def check_contents(packages, write):
    text = "\n".join(line for package in packages for line in listing(package)) + "\n"
    if write:
        CONTENTS.write_text(text, encoding="utf-8")
        return
    wanted = CONTENTS.read_text(encoding="utf-8")
    if text != wanted:
        sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), text.splitlines(True),
                                                   "contents.txt", "the packages"))
        sys.exit("the packages have other files than tests/packages/contents.txt")


def check_together(packages):
    """A gateway stands beside the module of its own version alone; the module beside any gateway, or none."""
    fields = {package.name.split("_")[0]: run("dpkg-deb", "-f", package, "Version", "Depends") for package in packages}
    version = re.search("^Version: (.*)$", fields["gatekey"], re.M)[1]
    assert f"gatekey-plugin (= {version})" in fields["gatekey"], fields["gatekey"]
    assert "libssl" in fields["gatekey-plugin"] and "gatekey" not in fields["gatekey-plugin"], fields["gatekey-plugin"]


def check_upgrade(packages, place):
    """From the first gatekey, of the same version, which had the module itself."""
    former, root = place / "former", place / "upgraded"
    (former / "DEBIAN").mkdir(parents=True)
    (former / "DEBIAN").chmod(0o755)  # which dpkg-deb demands
    (former / "DEBIAN/control").write_text("Package: gatekey\nVersion: 0.1.0\nArchitecture: all\nMaintainer: nobody\n"
                                           "Description: stand-in\n", encoding="utf-8")
    for name in (MODULE, "usr/bin/gatekey-gateway"):
        (former / name).parent.mkdir(parents=True)
        (former / name).write_text("former", encoding="utf-8")
    run("dpkg-deb", "--root-owner-group", "-b", former, place / "former.deb")
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    new = {package.name.split("_")[0]: package for package in packages}
    for package in (place / "former.deb", new["gatekey-plugin"], new["gatekey"]):
        run("dpkg", f"--root={root}", "--force-not-root,depends,architecture", "--unpack", package,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    assert run("dpkg-query", f"--admindir={root}/var/lib/dpkg", "-S", f"/{MODULE}").startswith("gatekey-plugin: ")
    assert (root / MODULE).read_bytes().startswith(b"\x7fELF"), "the former module was left in its place"


def check_programs(root):
    for program in ("gatekey-gateway", "gatekeyctl", "keyvaultd"):
        assert run(root / "usr/bin" / program, "--version").startswith(program), program
    # The unit's own command line, on the files of this root. Its secrets are not there yet, and it says so.
    unit = (root / "lib/systemd/system/gatekey.service").read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1].split()
    config = root / "etc/gatekey/gatekey.conf"
    text = config.read_text(encoding="utf-8").replace("/usr/lib/gatekey", f"{root}/usr/lib/gatekey")
    config.write_text(text.replace("/var/lib/gatekey", f"{root}/var"), encoding="utf-8")
    done = subprocess.run([root / command[0][1:], command[1], root / command[2][1:], "--check-config"],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and re.search(r"gatekey\.conf:\d+: .*(tls|token|key)", done.stderr), done.stderr


def check_pages(root):
    pages = sorted(page.name for page in root.glob("usr/share/man/man*/*"))
    assert pages == ["gatekey-gateway.8.gz", "gatekey.conf.5.gz", "gatekeyctl.1.gz", "keyvaultd.8.gz"], pages
    page = run("zcat", root / "usr/share/man/man1/gatekeyctl.1.gz")
    assert "AUDIT VERIFY" in page and "\\-\\-remove\\-damaged" in page


def check_completion(root):
    script = ('source "$1"; complete_line() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gatekeyctl; '
              'echo "${COMPREPLY[*]}"; }; complete_line gatekeyctl ac; complete_line gatekeyctl account exp; '
              'complete_line gatekeyctl audit verify --h; complete_line gatekeyctl scrub --remove-; '
              'complete_line gatekeyctl doctor g')
    answer = run("bash", "-c", script, "-", root / "usr/share/bash-completion/completions/gatekeyctl",
                 env={"PATH": f"{root}/usr/bin:/usr/bin:/bin"})
    assert answer.splitlines() == ["account", "export", "--head", "--remove-damaged", ""], answer


def rating(root, unit):
    """Of 10, which is open; systemd-analyze's own."""
    text = run("systemd-analyze", "security", "--offline=true", root / f"lib/systemd/system/{unit}.service")
    return re.search(r"Overall exposure level for \S+: ([\d.]+)", text)[1]


def check_units(root):
    for unit in UNITS:
        stated = re.search(rf"^\| `{unit}\.service` \| ([\d.]+) \|", DOCS.read_text(encoding="utf-8"), re.M)[1]
        found = rating(root, unit)
        assert float(found) <= float(stated), f"{unit}.service: {found}, and docs/packages.md says {stated}"


def check_system(root):
    if shutil.which("systemd-analyze"):
        check_units(root)
    if shutil.which("systemd-sysusers"):
        run("systemd-sysusers", f"--root={root}", "gatekey.conf")
        assert re.search(r"^gatekey:", (root / "etc/passwd").read_text(encoding="utf-8"), re.M)
    if shutil.which("logrotate"):
        rules = (root / "etc/logrotate.d/gatekey").read_text(encoding="utf-8").replace("su gatekey gatekey", "")
        (root / "rules").write_text(rules.replace("/var/log/gatekey", str(root)), encoding="utf-8")
        run("logrotate", "--debug", "--state", root / "state", root / "rules")


def main(build, write=False):
    if not all(map(shutil.which, ("cpack", "dpkg-deb", "dpkg-shlibdeps", "file"))):
        print("cpack, dpkg-dev or file is not installed")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="gatekey-packages-") as place:
        root = pathlib.Path(place, "root")
        packages = make(build, pathlib.Path(place))
        check_contents(packages, write)
        check_together(packages)
        check_upgrade(packages, pathlib.Path(place))
        for package in packages:
            run("dpkg-deb", "-x", package, root)
        check_programs(root)
        check_pages(root)
        check_completion(root)
        check_system(root)
        for script in PACKAGING.glob("*.p*"):
            run("sh", "-n", script)


if __name__ == "__main__":
    main(sys.argv[1], "--write" in sys.argv[2:])
