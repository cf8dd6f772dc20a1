"""Bundles of ES modules: each form of import and export that our scripts have, and an error for any other."""

import json
import subprocess
from pathlib import Path

import pytest

from project.static_bundles import NotBundled, bundle, in_order, parse

SCRIPTS = {
    "a/js/entry.js": """
import { double, TWO as two } from "./numbers.js";
import shout from "../vendor/shout.js";
import { half } from "../../b/js/half.js";
import "./effects.js";

/** @import { Number } from "./types.js" */
// import { nothing } from "./nowhere.js";
export const results = [double(two), shout("a"), half(8), globalThis.effects];
export async function later() {
  return (await import("../../b/js/late.js")).late();
}
""",
    "a/js/numbers.js": """
export const TWO = 2;
export function double(number) {
  return number * TWO;
}
export class Unused {}
""",
    "a/js/effects.js": "globalThis.effects = (globalThis.effects ?? 0) + 1;\n",
    "a/vendor/shout.js": 'import{up as t}from"./up.js";const e=n=>t(n)+"!";export{e as default,e as shout};',
    "a/vendor/up.js": 'const t=n=>n.toUpperCase();export{t as up};export{low}from"./low.js";',
    "a/vendor/low.js": "const low=n=>n.toLowerCase();export{low};",
    "b/js/half.js": """
import {
  double,
  TWO,
} from "../../a/js/numbers.js";

export const half = (number) => number / TWO + 0 * double(1);
export { TWO };
""",
    "b/js/late.js": """
import "../../a/js/effects.js";
import { TWO } from "../../a/js/numbers.js";

export const late = () => [TWO, globalThis.effects];
""",
    "b/js/list.js": "export default [1, 2];\n",
}


def run(folder: Path, code: str) -> object:
    """What a module says that stands beside the bundles."""
    (folder / "run.mjs").write_text(code)
    (folder / "package.json").write_text('{"type": "module"}')
    result = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def write(folder: Path, place: str, text: str) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.slow
def test_bundles_run_as_their_modules_do_and_each_module_once(tmp_path: Path) -> None:
    def read(name: str) -> object:
        return parse(name, SCRIPTS[name])

    for entry in ("a/js/entry.js", "b/js/late.js"):
        modules = in_order(entry, read)  # type: ignore[arg-type]
        write(tmp_path, entry, bundle(entry, modules, entry=modules[-1]))
    code = 'import { later, results } from "./a/js/entry.js";\nconsole.log(JSON.stringify([results, await later()]));'
    assert run(tmp_path, code) == [[4, "A!", 4, 1], [2, 1]]


@pytest.mark.slow
def test_parts_run_before_the_rest(tmp_path: Path) -> None:
    modules = in_order("a/js/entry.js", lambda name: parse(name, SCRIPTS[name]))
    own = [module for module in modules if module.name.startswith("a/vendor/")]
    write(tmp_path, "a/js/entry.libraries.js", bundle("a/js/entry.libraries.js", own))
    rest = [module for module in modules if module not in own]
    write(
        tmp_path, "a/js/entry.js", bundle("a/js/entry.js", rest, first=["a/js/entry.libraries.js"], entry=modules[-1])
    )
    code = 'import { results } from "./a/js/entry.js";\nconsole.log(JSON.stringify(results));'
    assert run(tmp_path, code) == [4, "A!", 4, 1]


def test_comments_are_left_out_and_addresses_follow_the_file() -> None:
    module = parse("b/js/half.js", "/** Words. */\n// More.\nexport const here = import.meta.url;\n")
    text = bundle("a/js/entry.js", [module])
    assert "Words" not in text
    cast = "  /** @type {A} */ (one).go();\n  two();\n  /** Three. */\n  three();\n"
    assert parse("a/js/x.js", cast).code == "  /** @type {A} */ (one).go();\n  two();\n  three();\n"
    assert "More" not in text
    assert 'here = new URL("../../b/js/half.js", import.meta.url).href' in text
    assert parse("b/js/list.js", SCRIPTS["b/js/list.js"]).exports == {"default": "defaultExport"}


@pytest.mark.parametrize(
    "line",
    [
        "export let changing = 1;",
        'import * as all from "./numbers.js";',
        'export * from "./numbers.js";',
        "export default function () {}",
        "export const { a, b } = pair;",
        'import { html } from "lit-html";',
    ],
)
def test_a_form_that_is_not_known_is_an_error_with_its_line(line: str) -> None:
    with pytest.raises(NotBundled, match=r"a/js/x\.js, line 3: a bundle does not know this form"):
        parse("a/js/x.js", f"const one = 1;\n\n{line}\n")


def test_a_circle_is_an_error() -> None:
    scripts = {"x.js": 'import { a } from "./y.js";\n', "y.js": 'import { b } from "./x.js";\n'}
    with pytest.raises(NotBundled, match=r"in a circle: x.js → y.js → x.js"):
        in_order("x.js", lambda name: parse(name, scripts[name]))
