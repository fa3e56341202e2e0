#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a guide with a command that does not work fails its test. Method: small guides, right and wrong."""
import pathlib
import tempfile
import unittest

import run_guide


def guide(*blocks):
    return "\n\n".join(blocks) + "\n"


def sh(commands):
    return f"```sh\n{commands}\n```"


def text(output):
    return f"```text\n{output}\n```"


class RunGuide(unittest.TestCase):
    def run_text(self, content, ports=()):
        with tempfile.TemporaryDirectory() as name:
            file = pathlib.Path(name) / "guide.md"
            file.write_text(content)
            return run_guide.run(file, ports)

    def assert_right(self, content, ports=()):
        self.assertIsNone(self.run_text(content, ports))

    def assert_wrong(self, content, *told):
        wrong = self.run_text(content)
        self.assertIsNotNone(wrong)
        for part in told:
            self.assertIn(part, wrong)

    def assert_unreadable(self, content):
        with self.assertRaises(run_guide.Unreadable):
            run_guide.steps_of(content)

    def test_blocks_share_a_shell_and_a_directory(self):
        self.assert_right(guide(sh("name=world; mkdir sub; cd sub"), sh('echo "hello $name"; basename "$PWD"'),
                                text("hello world\nsub")))

    def test_a_command_that_fails(self):
        self.assert_wrong(guide("one", sh("true"), "two", sh("echo before\nls /no-such-place\necho after")),
                          "line 10", "ended with 2", "before", "/no-such-place")

    def test_a_command_that_is_not_there(self):
        self.assert_wrong(guide(sh("gatekeyctl-no-such")), "ended with 127")

    def test_a_pipe_that_fails_in_the_middle(self):
        self.assert_wrong(guide(sh("false | cat")), "ended with 1")

    def test_a_variable_that_is_not_there(self):
        self.assert_wrong(guide(sh('echo "$NO_SUCH_VARIABLE"')), "NO_SUCH_VARIABLE")

    def test_a_block_that_the_shell_does_not_understand(self):
        self.assert_wrong(guide(sh("if true; then")), "line 2")

    def test_an_exit_in_the_middle_leaves_nothing_out(self):
        self.assert_wrong(guide(sh("exit 0"), sh("true")), "ended with 0")

    def test_output_that_differs(self):
        self.assert_wrong(guide(sh("echo one; echo two"), text("one\nthree")), "something else", "two")

    def test_output_that_lacks_a_line(self):
        self.assert_wrong(guide(sh("echo one"), text("one\ntwo")))

    def test_output_that_has_a_line_more(self):
        self.assert_wrong(guide(sh("echo one; echo two"), text("one")))

    def test_dots_stand_for_anything(self):
        self.assert_right(guide(sh("seq 5; echo version 1.2 of it"), text("1\n...\n5\nversion ... of it")))
        self.assert_right(guide(sh("echo one"), text("...\none\n...")))

    def test_dots_do_not_stand_for_other_text(self):
        self.assert_wrong(guide(sh("echo version 1.2"), text("...\nversion ... of it")))

    def test_signs_in_output_are_themselves(self):
        self.assert_wrong(guide(sh("echo abc"), text("a.c")))

    def test_errors_count_as_output(self):
        self.assert_right(guide(sh("ls /no-such-place || true"), text("...No such file...")))

    def test_what_is_excused_is_not_run(self):
        self.assert_right(guide("*Not run by the tests: it needs systemd.*", sh("false"), text("nothing"),
                                sh("echo run"), text("run")))

    def test_an_excuse_is_for_one_block(self):
        self.assert_wrong(guide("*Not run by the tests: it needs systemd.*", sh("true"), sh("false")))

    def test_commands_of_no_language(self):
        self.assert_unreadable(guide("```\nls\n```", sh("true")))
        self.assert_unreadable(guide("```console\n$ ls\n```", sh("true")))

    def test_a_guide_without_commands(self):
        self.assert_unreadable(guide("nothing", text("nothing")))

    def test_a_block_without_end(self):
        self.assert_unreadable("```sh\ntrue\n")

    def test_settings_are_no_commands(self):
        self.assert_right(guide("```conf\nfalse\n```", sh("true")))

    def test_ports_are_different_ones(self):
        self.assert_right(guide(sh('[ "$ONE" -ne "$TWO" ]')), ("ONE", "TWO"))

    def test_what_is_left_behind_is_ended(self):
        with tempfile.TemporaryDirectory() as name:
            note = pathlib.Path(name) / "pid"
            self.assert_right(guide(sh(f"sleep 3600 & echo $! >{note}")))
            # Whoever is its parent now may not have asked for its end yet.
            command = pathlib.Path("/proc") / note.read_text().strip() / "cmdline"
            self.assertEqual(command.read_text() if command.exists() else "", "")


if __name__ == "__main__":
    unittest.main()
