"""Files and folders that are whole or not there, written by one run at a time."""

from vadlib.storage.folders import check_replaceable, recover_folder, replace_folder, write_atomically, write_folder
from vadlib.storage.locks import RunLock
from vadlib.storage.paths import file_sha256, project_path, project_root, user_path

__all__ = [
    "RunLock",
    "check_replaceable",
    "file_sha256",
    "project_path",
    "project_root",
    "recover_folder",
    "replace_folder",
    "user_path",
    "write_atomically",
    "write_folder",
]
