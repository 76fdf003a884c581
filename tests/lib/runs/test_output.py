"""What a command says when nobody reads on."""

import io

from sinara_lib.runs.output import Output


def test_what_is_said_after_the_output_was_closed_is_dropped() -> None:
    stream = io.StringIO()
    output = Output(stream)
    output.write("heard")
    assert stream.getvalue() == "heard"
    stream.close()
    assert output.write("unheard") == 7
    output.flush()
