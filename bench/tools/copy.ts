/** What anybody has: `tar | zstd`, and `cp`. Neither encrypts, authenticates or finds repeats. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, pipeline } from '../measure.ts'
import { IMAGE_NAME, type SourceKind, type Tool } from './tool.ts'

export class TarZstd implements Tool {
  readonly name = 'tar \\| zstd -1 -T2'
  readonly isIncremental = false

  async init(repository: string): Promise<void> {
    mkdirSync(repository, { recursive: true })
  }

  backup(repository: string, source: string, kind: SourceKind): Command {
    const archive = join(repository, 'archive.zst')
    if (kind === 'image') {
      return pipeline('zstd -1 -T2 -q -f -o "$2" "$1"', join(source, IMAGE_NAME), archive)
    }
    return pipeline('tar -cf - -C "$1" . | zstd -1 -T2 -q -f -o "$2"', source, archive)
  }

  restore(repository: string, target: string, kind: SourceKind): Command {
    mkdirSync(target, { recursive: true })
    const archive = join(repository, 'archive.zst')
    if (kind === 'image') {
      return pipeline('zstd -d -q -o "$2" "$1"', archive, join(target, IMAGE_NAME))
    }
    return pipeline('zstd -d -q -c "$1" | tar -xf - -C "$2"', archive, target)
  }
}

export class Copy implements Tool {
  readonly name = 'cp'
  readonly isIncremental = false

  async init(repository: string): Promise<void> {
    mkdirSync(repository, { recursive: true })
  }

  backup(repository: string, source: string): Command {
    const parameters = ['-a', '--reflink=never', source, join(repository, 'copy')]
    return { file: 'cp', parameters }
  }

  restore(repository: string, target: string): Command {
    const parameters = ['-a', '--reflink=never', join(repository, 'copy'), target]
    return { file: 'cp', parameters }
  }
}
