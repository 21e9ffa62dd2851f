"""Adapters that read back wrongly, each in one way, and their suites; see `broken`."""

from __future__ import annotations

from dataclasses import replace

from destinations.base import Batch, Found, ReadBack, Stop, Transport, Unavailable
from destinations.sql.adapter import SqlTable
from destinations.testing.sql import TestSqlite as Honest


class ComparesTexts(SqlTable):
    async def read_back(self, batch: Batch, transport: Transport) -> ReadBack | Unavailable | Stop:
        del transport
        return ReadBack(tuple(Found(record.id, dict(record.fields)) for record in batch.records))


class TestComparesTexts(Honest):
    adapter = ComparesTexts


class TrustsWhatItSent(SqlTable):
    async def read_back(self, batch: Batch, transport: Transport) -> ReadBack | Unavailable | Stop:
        del transport
        return ReadBack(tuple(map(Found, batch.ids)))


class TestTrustsWhatItSent(Honest):
    adapter = TrustsWhatItSent


class ReadsByWriting(SqlTable):
    async def read_back(self, batch: Batch, transport: Transport) -> ReadBack | Unavailable | Stop:
        await self.send(replace(batch, run="reading"), transport)
        return await super().read_back(batch, transport)


class TestReadsByWriting(Honest):
    adapter = ReadsByWriting
