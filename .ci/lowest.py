"""Print the lowest versions of the direct dependencies in pyproject.toml, as constraints for pip."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
for text in [*project["dependencies"], *(text for name in extras if name != "dev" for text in extras[name])]:
    requirement = Requirement(text)
    for bound in requirement.specifier:
        if bound.operator == ">=":
            print(f"{requirement.name}=={bound.version}")
