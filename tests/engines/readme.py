"""The snippets of the README that attach an engine, filled in for one server."""

import re
from pathlib import Path

import server

README = Path(__file__).parents[2] / "README.md"
KEY = re.compile(r"(?<=[ '\"=])KEY(?=['\"\n])")
SECRET = re.compile(r"(?<=[ '\"=])SECRET(?=['\"\n])")


def snippet(engine: str, tarn: server.Tarn) -> str:
    """The fenced block below the engine's name."""
    _, below = README.read_text().split(f"\n**{engine}**", 1)
    text = below.split("```", 2)[1].split("\n", 1)[1]
    text = text.replace("127.0.0.1:9000", tarn.authority)
    text = text.replace("KEY:SECRET", f"{server.ACCESS_KEY}:{server.SECRET_KEY}")
    return SECRET.sub(server.SECRET_KEY, KEY.sub(server.ACCESS_KEY, text))
