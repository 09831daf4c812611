"""A processor for a kind of file that Timba does not know: bark samples, one species a line."""

from __future__ import annotations

from timba.files.processors.base import FileRefused, Findings, Processor, Source


def read_samples(source: Source) -> Findings:
    with source.open() as stream:
        species = stream.read().decode().split()
    if not species:
        raise FileRefused("It names no species.")
    return {"samples": len(species), "species": sorted(set(species))}


class SampleProcessor(Processor):
    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"bark ")


PROCESSOR = SampleProcessor(kind="bark", read=read_samples)
