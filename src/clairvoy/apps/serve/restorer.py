"""What one of the server's processes does with an upload: read, restore, encode, all of it in memory."""

from __future__ import annotations

from typing import ClassVar

from clairvoy.apps.clear.outcome import RESTORED, UNTOUCHED
from clairvoy.apps.clear.output_names import FORMATS
from clairvoy.apps.serve.uploads import Answer, Model, Upload
from clairvoy.drawing.png import map_png
from clairvoy.errors import TooLargeError, UnknownFormatError
from clairvoy.imaging import files
from clairvoy.imaging.formats.recognition import recognise
from clairvoy.imaging.picture import UnchangingPicture, same_pixels


class UploadRestorer:
    """Restores one upload after another with weights that are loaded once.

    Raises
    ------
    ClairvoyError
        The weights or the device cannot be used.
    """

    imports: ClassVar[tuple[str, ...]] = ("clairvoy.restoring.dehazer",)

    def __init__(self, model: Model) -> None:
        from clairvoy.restoring.dehazer import PRESETS, Dehazer

        self.limits = model.limits
        loaded = Dehazer.load(model.weights, model.device)
        self.dehazers = {preset: Dehazer(loaded.engine, loaded.name, preset) for preset in PRESETS}

    def __call__(self, upload: Upload) -> Answer:
        """Restore an upload.

        Raises
        ------
        ClairvoyError
            The picture or a setting is not usable; of a kind that says which HTTP status is meant.
        """
        kind = recognise(upload.data)
        if kind not in self.limits.formats:
            raise UnknownFormatError(
                f"is a {kind} file, which this server does not take; send {', '.join(sorted(self.limits.formats))}"
            )
        try:
            return self._answer(upload)
        except MemoryError as error:
            raise TooLargeError("does not fit into the server's memory; reduce the picture") from error

    def _answer(self, upload: Upload) -> Answer:
        picture = UnchangingPicture.of(files.read(upload.data, max_pixels=self.limits.pixels))
        dehazer = self.dehazers[upload.preset]
        notes = {"notes": list(picture.notes)} if picture.notes else {}
        if not upload.restored:
            report = dehazer.report(picture, strength=upload.strength, force=upload.force)
            return Answer({**notes, **report.to_dict()})
        result = dehazer(picture, strength=upload.strength, samples=upload.samples, force=upload.force)
        status = UNTOUCHED if same_pixels(result.image, picture.pixels) else RESTORED
        kind = FORMATS[upload.format] if upload.format else files.written_format(picture)
        data = files.restored_bytes(result.image, picture, upload.data, kind, quality=upload.quality)
        return Answer(
            {"status": status, **notes, **result.report.to_dict()},
            data,
            kind,
            map_png(result.haze) if upload.maps else b"",
            map_png(result.tau) if upload.maps else b"",
        )
