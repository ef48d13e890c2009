"""Video files to pictures, by FFmpeg's libraries (PyAV): every picture that can be decoded, in playing order.

What a file holds is what comes out, whatever the ending of its name and the number of frames in its header say.
Decoding goes on behind damage, as players do; what was wrong is kept in `VideoDecoder.damage`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vadlib.data.reading.files import SKIPPING, require_file
from vadlib.errors import UnreadableError

if TYPE_CHECKING:  # imported where a video is opened: folders of frames, and all that is fitted on them, do without
    import av

VIDEO_SUFFIXES = (  # a file called so is meant as a video, and an error if it is none
    ".3g2", ".3gp", ".264", ".265", ".amv", ".asf", ".avi", ".dav", ".divx", ".dv", ".f4v", ".flv", ".h264", ".h265",
    ".hevc", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mod", ".mov", ".mp4", ".mpe", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".qt", ".rm", ".rmvb", ".trp", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)  # fmt: skip
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".heic", ".heif", ".avif", ".ico")
ONE_PACKET_ONE_PICTURE = ("h264", "hevc", "mpeg4", "mpeg1video", "mpeg2video", "wmv1", "wmv2", "flv")
EMPTY_BYTES = 8  # a packet as small as this repeats the picture before, or shows none
CORRUPT = "a part that did not arrive whole"
UNDECODED = "a picture that cannot be decoded"
MICROSECONDS = 1_000_000  # FFmpeg's unit of a container's times
Y4M = b"YUV4MPEG2"  # how a file begins that is raw pictures behind a line of text
TEXT_BYTES = 4096  # at a file's beginning, by which text is told from video
CONTROL_CHARACTERS = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"
REWRITE = "`ffmpeg -i IN OUT.mp4` writes what can be decoded into a new file"


class VideoDecoder:
    """The pictures of a video file, from its start to its end; a context manager, to be iterated once.

    Parameters
    ----------
    path : Path
    n_threads : int
        Threads of the video codec. What several of them make of a damaged video differs from run to run.

    Attributes
    ----------
    stream : av.VideoStream
        Of several, the one that players would show.
    damage : list of str
        What went wrong so far, a few words each.

    Raises
    ------
    UnreadableError
        A file that is not there, is no video, or has a codec that cannot be decoded.
    """

    def __init__(self, path: Path, n_threads: int = 1):
        self._container = open_container(path)
        from av import FFmpegError
        from av.video.reformatter import VideoReformatter

        self._ffmpeg_error = FFmpegError
        self.path = path
        self.damage: list[str] = []
        try:
            is_picture = self.format.startswith("image2") or self.format.endswith("_pipe")
            if is_picture and path.suffix.lower() not in VIDEO_SUFFIXES:  # .mjpeg is JPEG after JPEG
                raise UnreadableError(f"{path} is a picture, and no video. Give the folder of frames that it is in.")
            self.stream = self._video_stream()
            self.stream.codec_context.thread_count = n_threads
            if self.stream.codec_context.codec.intra_only:
                # Such decoders give memory that nobody wrote for a damaged picture, and no other picture needs it.
                self.stream.codec_context.options = {"err_detect": "explode"}
        except BaseException:
            self._container.close()
            raise
        self._to_rgb = VideoReformatter()

    def __enter__(self) -> VideoDecoder:
        """Give itself."""
        return self

    def __exit__(self, *error) -> None:
        """Close the file."""
        self._container.close()

    @property
    def format(self) -> str:
        """FFmpeg's name of the container."""
        return self._container.format.name

    @property
    def stated_end(self) -> tuple[float | None, bool]:
        """When the last picture should end by the container, and whether that may be the end of sound or subtitles.

        In seconds on the frames' clock; None if it does not say. The duration of an AVI file that is cut short is
        estimated from its size; its header's count of frames is not. Matroska counts from 0, whenever the first
        picture comes, and most writers put each track's end into a tag. Other containers' times of a single track are
        FFmpeg's guesses.
        """
        stream, duration = self.stream, self._container.duration
        tag = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "").strip())
        if self.format.startswith("matroska") and tag:
            return 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3]), False
        if self.format.startswith(("mov", "avi")) and stream.duration is not None and stream.time_base:
            end = float(((stream.start_time or 0) + stream.duration) * stream.time_base)
            if self.format == "avi" and stream.frames and stream.average_rate:
                end = max(end, float(stream.frames / stream.average_rate))
            return end, False
        if duration is None:
            return None, False
        start = 0 if self.format.startswith("matroska") else self._container.start_time or 0
        return (start + duration) / MICROSECONDS, len(self._container.streams) > 1

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Yield the frames in playing order."""
        n_packets = n_frames = 0  # packets from the first key frame on that should give a picture
        interlaced = False
        for packet in self._packets():
            if packet.is_corrupt:
                self.damage.append(CORRUPT)
            if (n_packets or packet.is_keyframe) and packet.size > EMPTY_BYTES and not packet.is_discard:
                n_packets += 1
            try:
                frames = packet.decode()
            except self._ffmpeg_error:
                self.damage.append(UNDECODED)
                n_packets -= n_packets > 0  # is counted
                continue
            for frame in frames:
                n_frames += 1
                interlaced |= frame.interlaced_frame
                if frame.is_corrupt:
                    self.damage.append("a picture that is guessed in part")
                yield frame
        # Not every decoder says so when it drops a picture. Of fields two packets may be one picture.
        if self.stream.codec_context.name in ONE_PACKET_ONE_PICTURE and not interlaced:
            self.damage += [UNDECODED] * (n_packets - n_frames)

    def _packets(self) -> Iterator[av.Packet]:
        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except IndexError:  # at the end, where PyAV finds no place for a stream that began in the middle
                return
            except self._ffmpeg_error as error:
                self.damage.append(f"the file breaks off ({error.strerror})")
                return
            if packet is None:
                return
            yield packet

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """A frame as people see it: uint8 (H, W, 3) RGB, turned upright where the camera was held sideways."""
        image = self._to_rgb.reformat(frame, format="rgb24", interpolation="BICUBIC", threads=1).to_ndarray()
        quarter_turns = round(frame.rotation / 90)
        return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image

    def _video_stream(self) -> av.VideoStream:
        from av.stream import Disposition

        stream = self._container.streams.best("video")
        if stream is None or stream.disposition & Disposition.attached_pic:
            raise UnreadableError(f"{self.path} has sound or data, but no video. Export it with its pictures.")
        if stream.codec_context is None and self._codec_name(stream.index) == "none":
            raise UnreadableError(
                f"{self.path}: its header ends before it says how its pictures are coded. Copy it again, {SKIPPING}."
            )
        if stream.codec_context is None:
            raise UnreadableError(
                f"{self.path}: its pictures are coded as {self._codec_name(stream.index)}, which cannot be decoded "
                "here. Export it as H.264, with the recorder's own program if no other can read it."
            )
        return stream

    def _codec_name(self, index: int) -> str:
        """What FFmpeg says of a stream that it has no decoder for: it is nowhere but in its log."""
        from av import logging

        level = logging.get_level()
        logging.set_level(logging.INFO)
        try:
            found = re.search(rf"Stream #0:{index}\b.*?Video: ([^,]+)", self._container.dumps_format())
        finally:
            logging.set_level(level)
        return found[1].removeprefix("none ").strip("()") if found else "something unknown"


def open_container(path: Path) -> av.container.InputContainer:
    """Open a media file and no other than it: nothing that it names, on a disk or in a net."""
    if not require_file(path):
        raise UnreadableError(f"{path} is not a video that can be opened, but empty. Copy it again.")
    if is_text(path):  # a play list would open other files
        raise UnreadableError(f"{path} is not a video that can be opened, but text. Copy it again.")
    import av

    try:
        # An absolute path: a relative one could be taken for a protocol, as in "concat:a/b.avi".
        return av.open(
            os.path.abspath(path), container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except av.FFmpegError as error:
        raise UnreadableError(
            f"{path} is not a video that can be opened ({error.strerror}). If it is still being recorded, wait "
            f"until it is finished; if it was cut short in copying, copy it again, {SKIPPING}."
        ) from error


def is_video(path: Path) -> bool:
    """Whether a file is, or is meant as, a video: by its name's ending, or else by what is in it."""
    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        return False
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return True
    try:
        with VideoDecoder(path) as video:
            return next(iter(video), None) is not None
    except UnreadableError:
        return False


def is_text(path: Path) -> bool:
    """Whether a file begins like text."""
    try:
        with path.open("rb") as file:
            start = file.read(TEXT_BYTES)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    looks_so = bool(start) and len(start) == len(start.translate(None, CONTROL_CHARACTERS))
    return looks_so and not start.startswith(Y4M)
