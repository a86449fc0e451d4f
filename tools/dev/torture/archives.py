"""Give malicious archives to prepare_data.py."""

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

from .pickles import outcome


def write_archives(folder: Path) -> dict[str, Path]:
    """Write malicious archives; return what each tries -> its path."""
    names = {
        'absolute name': '/tmp/bootmae_trap',
        'traversal': 'a/../../../bootmae_trap',
        'backslashes': '..\\bootmae_trap',
    }
    links = {
        'symbolic link': tarfile.SYMTYPE,
        'hard link': tarfile.LNKTYPE,
        'named pipe': tarfile.FIFOTYPE,
        'device': tarfile.BLKTYPE,
    }
    paths = {}
    for case in (*names, *links):
        paths[case] = folder / f'{case.replace(" ", "_")}.tar'
        with tarfile.open(paths[case], 'w') as tar:
            info = tarfile.TarInfo(names.get(case, 'link'))
            info.type, info.linkname = links.get(case, tarfile.REGTYPE), '/tmp'
            tar.addfile(info, io.BytesIO())
            inside = tarfile.TarInfo('link/bootmae_trap')  # through the link
            tar.addfile(inside, io.BytesIO())
    for case in ('traversal', 'symbolic link'):
        paths[f'{case} in a zip'] = folder / f'{case.replace(" ", "_")}.zip'
        with zipfile.ZipFile(paths[f'{case} in a zip'], 'w') as archive:
            info = zipfile.ZipInfo('link' if 'link' in case else '../bootmae_trap')
            info.external_attr = (0o120777 if 'link' in case else 0o100644) << 16
            archive.writestr(info, '/tmp')
    paths['bomb'] = folder / 'bomb.tar.gz'
    with gzip.open(paths['bomb'], 'wb') as file:  # 8 GiB in 8 MB
        info = tarfile.TarInfo('train/zeros')
        info.size = 8 << 30
        file.write(info.tobuf())
        for _ in range(64):
            file.write(bytes(1 << 20))
    paths['bomb in a header'] = folder / 'header.tar'
    info = tarfile.TarInfo('train')
    info.type, info.size = tarfile.XHDTYPE, 1 << 40  # tarfile would read it into memory
    paths['bomb in a header'].write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    return paths


def trial_archives(folder: Path, times: int, draw: random.Random) -> list[str]:
    """Check that each archive is refused in one line and leaves no file."""
    wrong, tried = [], 0
    for case, path in write_archives(folder).items():
        for name in ('cifar10', 'camvid'):
            out = folder / f'{path.name}_{name}'
            said = outcome(['prepare_data.py', name, '--from', path, '--out', out])
            tried += 1
            if not said.startswith('error: ') or 'refused' not in said:
                wrong.append(f'{case} as {name}: {said or "was taken"}')
            if out.exists() and any(out.iterdir()):
                wrong.append(f'{case} as {name}: left {sorted(out.iterdir())}')
            traps = [Path('/tmp'), folder, folder.parent]
            if any((trap / 'bootmae_trap').exists() for trap in traps):
                wrong.append(f'{case} as {name}: wrote outside')
    print(f'archives: {tried} times refused; wrong: {wrong}')
    return wrong
