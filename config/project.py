"""A folder of files as one `Project`: everything read, judged and cross-checked, or every problem at once."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from config.clearance import Clearance
from config.crosscheck import Declared, cross_references
from config.daemon import Daemon
from config.dataset import DatasetFile
from config.destination import DestinationFile
from config.environment import Compute, Connection, Environment, ProjectFile
from config.explain import problems_of
from config.folder import PROJECT_FILE, is_inside, read_file, yaml_files
from config.interpolate import Secrets, Wanted, interpolate, readable_by_others, reveal
from config.locate import Data, Document, Unreadable, read_document
from config.model import FileModel
from config.problems import Code, InvalidProject, KeyPath, Problem, did_you_mean
from config.sync import SyncFile
from config.unavailable import Kind, refused

_File = TypeVar("_File", bound=FileModel)
_Model = TypeVar("_Model", bound=BaseModel)

DatasetKey: TypeAlias = tuple[str, str]
"""A dataset's name and its contract's path; the contract's version adds the major."""


@dataclass(frozen=True, slots=True)
class Project:
    """A valid project as one environment sees it. ``destinations`` holds those that the environment may use.

    ``contracts`` holds the parsed text of every contract, by path; what they say is the engine's to judge.
    """

    folder: Path
    name: str
    environment_name: str
    environment: Environment
    approvers: tuple[str, ...] | None
    """Who may decide about held plans in this environment; None is everybody."""
    connections: Mapping[str, Connection]
    compute: Compute
    daemon: Daemon
    clearance: Clearance
    datasets: Mapping[DatasetKey, DatasetFile]
    destinations: Mapping[str, DestinationFile]
    syncs: Mapping[str, SyncFile]
    contracts: Mapping[str, Document]
    documents: Mapping[str, Document] = field(repr=False)
    warnings: tuple[Problem, ...] = ()
    """What is not wrong and worth a look."""

    def locate(self, file: str, path: KeyPath = ()) -> int:
        """The line of a key in one of the project's files, or of the nearest key above it."""
        return self.documents[file].line(path)

    def problem(self, file: str, path: KeyPath, code: str, message: str, hint: str = "") -> Problem:
        """A problem found elsewhere, placed at its file and line."""
        return self.documents[file].problem(path, code, message, hint)

    def contract_of(self, dataset: DatasetFile) -> Document:
        """The parsed contract of one of the project's datasets."""
        return self.contracts[_normal(dataset.contract)]

    def adapter_config(self, destination: DestinationFile, model: type[_Model]) -> _Model:
        """``destination.config`` as the adapter's own model; raises `InvalidProject` with file and line."""
        data = reveal(destination.config)
        try:
            return model.model_validate(data)
        except ValidationError as error:
            document = self.documents[destination.file]
            raise InvalidProject(problems_of(error, document, data, model, ("config",))) from None


def load_project(folder: Path, *, environment: str | None, env: Mapping[str, str]) -> Project:
    """The project in ``folder``; raises `InvalidProject` with every problem of every file.

    ``environment`` is what the operator asked for; without it the project's own choice holds. ``env`` holds the
    variables that ``${env:…}`` may name; those of other environments need not be set.
    """
    return _Loading(folder.resolve(), env).load(environment)


def load_environment(folder: Path, *, environment: str | None, env: Mapping[str, str]) -> Environment:
    """What ``tidegate.yaml`` alone says of the environment, of a project whose other files may be wrong.

    Raises `InvalidProject` with what hinders that.
    """
    return _Loading(folder.resolve(), env).only_environment(environment)


def _normal(path: str) -> str:
    return posixpath.normpath(path)


class _Loading:
    """One reading of a folder; collects problems, so that a mistake does not hide the next one."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._secrets = Secrets(folder, env)
        self._documents: dict[str, Document] = {}
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._unreadable: set[str] = set()

    def load(self, asked: str | None) -> Project:
        main = self._document(PROJECT_FILE)
        if main is None:
            raise InvalidProject(self._problems)
        environment = self._environment_name(main, asked)
        project = self._project_file(main, environment)
        groups = {name: self._group(name) for name in ("datasets", "destinations", "syncs")}
        datasets = self._models(groups["datasets"], DatasetFile, Kind.DATASET, environment)
        destinations = self._models(groups["destinations"], DestinationFile, Kind.DESTINATION, environment)
        syncs = self._models(groups["syncs"], SyncFile, Kind.SYNC, environment)
        self._problems += cross_references(
            Declared(
                main,
                **groups,
                unreadable=frozenset(self._unreadable),
                environment=environment,
                valid_project=project,
                valid_datasets=datasets,
                valid_destinations=destinations,
                valid_syncs=syncs,
            )
        )
        contracts = self._contracts(datasets)
        if self._problems or project is None:
            raise InvalidProject(self._problems)
        return Project(
            folder=self._folder,
            name=project.name,
            environment_name=environment,
            environment=project.environments[environment],
            approvers=project.environments[environment].approvers or project.approvers,
            connections=MappingProxyType(project.connections),
            compute=project.compute,
            daemon=project.daemon,
            clearance=project.clearance,
            datasets=_by(datasets, lambda dataset: (dataset.name, _normal(dataset.contract))),
            destinations=_by((d for d in destinations if d.is_for(environment)), lambda destination: destination.name),
            syncs=_by(syncs, lambda sync: sync.name),
            contracts=MappingProxyType(contracts),
            documents=MappingProxyType(self._documents),
            warnings=tuple(self._warnings),
        )

    def only_environment(self, asked: str | None) -> Environment:
        main = self._document(PROJECT_FILE)
        name = "" if main is None else self._environment_name(main, asked)
        project = None if main is None else self._project_file(main, name)
        if project is None or any(problem.path[:1] != ("connections",) for problem in self._problems):
            raise InvalidProject(self._problems)
        return project.environments[name]

    def _document(self, file: str) -> Document | None:
        if file in self._documents:
            return self._documents[file]
        content = read_file(self._folder, file)
        if isinstance(content, Problem):
            self._problems.append(content)
            return None
        try:
            document = read_document(file, content)
        except Unreadable as error:
            self._problems.append(error.problem)
            return None
        self._documents[file] = document
        return document

    def _group(self, name: str) -> list[Document]:
        """The readable documents of one of the project's folders."""
        files, problems = yaml_files(self._folder, name)
        self._problems += problems
        documents = [document for file in files if (document := self._document(file)) is not None]
        if problems or len(documents) < len(files):
            self._unreadable.add(name)
        return documents

    def _environment_name(self, main: Document, asked: str | None) -> str:
        """The environment to load; empty, with a problem, when there is no such one."""
        written = main.data.get("environments")
        known = set(written) if isinstance(written, dict) else set()
        chosen = asked or main.data.get("environment")
        if chosen is None and len(known) == 1:
            chosen = next(iter(known))
        if not known or (isinstance(chosen, str) and chosen in known):
            return str(chosen)
        if chosen is None:
            message, hint = "`environment` is missing", did_you_mean("", known)
            self._problems.append(main.problem(("environment",), Code.MISSING_KEY, message, hint))
        elif isinstance(chosen, str):
            message = f"the environment `{chosen}` does not exist"
            if asked:
                message += ": it was asked for by --env or TIDEGATE_ENV"
            path: KeyPath = ("environments",) if asked else ("environment",)
            self._problems.append(main.problem(path, Code.UNKNOWN_REFERENCE, message, did_you_mean(chosen, known)))
        return ""

    def _project_file(self, main: Document, environment: str) -> ProjectFile | None:
        def wanted(path: KeyPath) -> bool:
            return path[:1] == ("connections",) or path[:2] == ("environments", environment)

        self._problems += refused(Kind.PROJECT, main, environment)
        return self._model(main, ProjectFile, wanted)

    def _models(self, documents: list[Document], model: type[_File], kind: Kind, environment: str) -> list[_File]:
        models = []
        for document in documents:
            self._problems += refused(kind, document, environment)
            uses_secrets = kind is Kind.DESTINATION and _is_listed(document.data, environment)
            valid = self._model(document, model, _config if uses_secrets else _nothing)
            if valid is not None:
                models.append(valid)
        return models

    def _model(self, document: Document, model: type[_File], wanted: Wanted) -> _File | None:
        data, found = interpolate(document.data, self._secrets, wanted)
        self._problems += (document.problem(f.path, f.code, f.message, f.hint) for f in found)
        open_files = readable_by_others(document.data, self._secrets, wanted)
        self._warnings += (document.problem(f.path, f.code, f.message, f.hint) for f in open_files)
        try:
            return model.model_validate(data, context={"folder": self._folder, "file": document.file})
        except ValidationError as error:
            broken = {f.path for f in found}
            self._problems += (p for p in problems_of(error, document, data, model) if p.path not in broken)
            return None

    def _contracts(self, datasets: Iterable[DatasetFile]) -> dict[str, Document]:
        contracts = {document.file: document for document in self._group("contracts")}
        for dataset in datasets:
            file = _normal(dataset.contract)
            document = self._contract(dataset, file)
            if document is not None:
                contracts[file] = document
        return contracts

    def _contract(self, dataset: DatasetFile, file: str) -> Document | None:
        at = self._documents[dataset.file]
        path = self._folder / file
        if posixpath.isabs(file) or file.split("/", maxsplit=1)[0] == ".." or not is_inside(self._folder, path):
            message = "`contract` leads out of the project folder"
            self._problems.append(
                at.problem(("contract",), Code.OUTSIDE_PROJECT, message, "keep contracts in contracts/")
            )
            return None
        if not path.is_file():
            files, _ = yaml_files(self._folder, "contracts")
            message = f"the contract `{file}` does not exist"
            self._problems.append(at.problem(("contract",), Code.MISSING_FILE, message, did_you_mean(file, files)))
            return None
        already_refused = any(problem.file == file for problem in self._problems)
        return None if already_refused else self._document(file)


def _config(path: KeyPath) -> bool:
    return path[:1] == ("config",)


def _nothing(_path: KeyPath) -> bool:
    return False


def _is_listed(destination: Data, environment: str) -> bool:
    """Whether an unvalidated destination may be used in the environment."""
    listed = destination.get("environments")
    return not isinstance(listed, list) or environment in listed


_Key = TypeVar("_Key")


def _by(files: Iterable[_File], key: Callable[[_File], _Key]) -> Mapping[_Key, _File]:
    return MappingProxyType({key(file): file for file in files})
