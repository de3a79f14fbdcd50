"""`./aid bench [--services] [NAME …] [--rows=N]`: run the named benchmarks, or all. A benchmark is a module here with
`main()`.

On SQLite, or with --services on a PostgreSQL that is started here and stopped afterwards, as `./aid test` does.
`--rows` is the size of the file, for those that read one.
"""

import contextlib
import importlib
import os
import pkgutil
import re
import signal
import sys
import time

import benchmarks


def names() -> list[str]:
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if not name.startswith("_") and name != "settings")


def main(words: list[str]) -> int:
    options = [word for word in words if word.startswith("-")]
    wanted = [word for word in words if word not in options]
    if not all(re.fullmatch(r"--services|--rows=[0-9]+", word) for word in options):
        print(f"用法：./aid bench [--services] [--rows=行数] [名称……]。名称：{'、'.join(names())}。", file=sys.stderr)
        return 2
    for word in options:
        if word.startswith("--rows="):
            os.environ["BENCH_ROWS"] = word.removeprefix("--rows=")
    if unknown := sorted(set(wanted) - set(names())):
        print(f"没有这些测量：{'、'.join(unknown)}。现有：{'、'.join(names()) or '（还没有）'}。", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        if "--services" in options:
            from tests.services import postgresql

            os.environ["BENCH_DATABASE_URL"] = stack.enter_context(postgresql())
        _run(wanted or names())
    return 0


def _run(wanted: list[str]) -> None:
    prepare()
    for name in wanted:
        module = importlib.import_module(f"benchmarks.{name}")
        title = (module.__doc__ or name).strip().splitlines()[0]
        print(f"\n== {name}: {title}", flush=True)
        began = time.perf_counter()
        module.main()
        print(f"   ({time.perf_counter() - began:.1f} s in all)", flush=True)


def prepare() -> None:
    """A new, empty installation in a temporary directory, with keys and tables; gone afterwards."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from documents import signing, vault

    vault.make_keys(new_installation=True)
    signing.make_county_key("测试县")
    call_command("migrate", interactive=False, verbosity=0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a server is stopped then, too
    sys.exit(main(sys.argv[1:]))
