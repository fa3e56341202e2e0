# SPDX-License-Identifier: Apache-2.0
"""How bench/rados tells what it measured, and the goals: those at 16 clients, against radosgw with
SSE-KMS, and never behind any kind of it in any cell."""

OURS, PEER = "gatekey", "kms"
RADOSGW_KINDS = ["radosgw", "kms", "ssec"]
TITLES = {"gatekey": "gatekey", "radosgw": "radosgw", "kms": "radosgw SSE-KMS",
          "ssec": "radosgw SSE-C", "librados": "librados"}
GOAL_CONCURRENCY = 16
RATE_GOALS = {("put", "4K"): 5, ("get", "4K"): 5, ("put", "64K"): 5, ("get", "64K"): 5,
              ("put", "4M"): 3, ("get", "4M"): 1.7}
CPU_GOAL = 0.25


def cell_name(cell):
    return f"{cell['operation'].upper()} {cell['size']} x{cell['concurrency']}"


def per_gb(cpu_us, size):
    """Seconds of CPU for 10^9 bytes."""
    return cpu_us / 1e6 / size * 1e9


def rate_ratio(cell, other):
    return cell["systems"][OURS]["ops_per_s"] / cell["systems"][other]["ops_per_s"]


def cpu_ratio(cell, other):
    theirs = cell["systems"][other]["gateway_cpu_us"]
    return cell["systems"][OURS]["gateway_cpu_us"] / theirs if theirs > 0 else float("inf")


def memory(row):
    return f"{row['gateway_rss_mb']:.0f}" if row["gateway_rss_mb"] else "-"


def print_cell(cell):
    print(f"\n{cell_name(cell):<17}{'ops/s':>10}{'MB/s':>9}{'p50 ms':>9}{'p99 ms':>9}"
          f"{'gateway us/op':>15}{'s/GB':>8}{'OSD us/op':>11}{'s/GB':>8}{'RSS MB':>8}")
    for name, row in cell["systems"].items():
        print(f"  {TITLES[name]:<15}{row['ops_per_s']:10.1f}{row['mb_per_s']:9.1f}{row['p50_ms']:9.2f}"
              f"{row['p99_ms']:9.2f}{row['gateway_cpu_us']:15.0f}"
              f"{per_gb(row['gateway_cpu_us'], cell['bytes']):8.2f}{row['osd_cpu_us']:11.0f}"
              f"{per_gb(row['osd_cpu_us'], cell['bytes']):8.2f}{memory(row):>8}")
    if OURS in cell["systems"]:
        others = [name for name in cell["systems"] if name != OURS]
        print("  gatekey over     " + ", ".join(
            f"{TITLES[name]}: {rate_ratio(cell, name):.2f} (CPU {cpu_ratio(cell, name):.2f})"
            for name in others), flush=True)


def verdict(met):
    return "met" if met else "MISSED"


def print_goals(cells):
    """Of the cells that were measured."""
    cells = [cell for cell in cells if {OURS, PEER} <= set(cell["systems"])]
    if not cells:
        return
    print(f"\nGoals at {GOAL_CONCURRENCY} clients, against {TITLES[PEER]}")
    for cell in cells:
        if cell["concurrency"] != GOAL_CONCURRENCY:
            continue
        cpu = cpu_ratio(cell, PEER)
        line = f"  {cell_name(cell):<14}"
        goal = RATE_GOALS.get((cell["operation"], cell["size"]))
        if goal is not None:
            rate = rate_ratio(cell, PEER)
            line += f" rate {rate:5.2f}, goal {goal:g}: {verdict(rate >= goal):<7}"
        print(f"{line:<48} CPU {cpu:4.2f}, goal {CPU_GOAL}: {verdict(cpu <= CPU_GOAL)}")
    behind = [f"{cell_name(cell)} ({TITLES[name]}: {rate_ratio(cell, name):.2f})" for cell in cells
              for name in RADOSGW_KINDS if name in cell["systems"] and rate_ratio(cell, name) < 1]
    print(f"  never behind it in any cell: {verdict(not behind)}" +
          (f": behind in {', '.join(behind)}" if behind else ""), flush=True)
