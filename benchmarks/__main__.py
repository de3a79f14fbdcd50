"""`./aid bench [NAME …] [--rows=N]`: run the named benchmarks, or all. A benchmark is a module here with `main()`.

`--rows` is the size of the file, for those that read one.
"""

import importlib
import os
import pkgutil
import sys
import time

import benchmarks


def names() -> list[str]:
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if not name.startswith("_") and name != "settings")


def main(words: list[str]) -> int:
    wanted = [word for word in words if not word.startswith("--rows=")]
    for word in set(words) - set(wanted):
        os.environ["BENCH_ROWS"] = str(int(word.removeprefix("--rows=")))
    if unknown := sorted(set(wanted) - set(names())):
        print(f"没有这些测量：{'、'.join(unknown)}。现有：{'、'.join(names()) or '（还没有）'}。", file=sys.stderr)
        return 2
    prepare()
    for name in wanted or names():
        module = importlib.import_module(f"benchmarks.{name}")
        title = (module.__doc__ or name).strip().splitlines()[0]
        print(f"\n== {name}: {title}", flush=True)
        began = time.perf_counter()
        module.main()
        print(f"   ({time.perf_counter() - began:.1f} s in all)", flush=True)
    return 0


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
    sys.exit(main(sys.argv[1:]))
