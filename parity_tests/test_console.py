"""Messages for people."""

from port.console import note, warn


def test_a_message_is_not_broken_in_two(capsys):
    """A path in a log is to be found by grep and to be copied, however long it is."""
    message = "not converted: the map is in " + "/a long folder" * 30 + "/map.toml"
    note(message)
    warn(message)
    assert capsys.readouterr().err.splitlines() == [message, f"warning: {message}"]
