/** The story of the demo, step by step, in plain words. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import type { Site } from '../program/site.ts'
import { DemoCli } from './cli.ts'
import {
  damageSampleFiles,
  makeSampleFiles,
  REPORT,
  REPORT_AFTER,
  REPORT_BEFORE,
} from './sample-files.ts'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'

interface BackupJson {
  readonly id: string
  readonly files: number
  readonly size: number
  readonly unchangedFiles: number
  readonly bytesRead: number
  readonly storedBytes: number
  readonly durationMs: number
}

interface PlugJson {
  readonly id: string
  readonly device: string | null
  readonly mountPoint: string | null
  readonly nbd: string | null
  readonly elapsedMs: number
}

interface MediumJson {
  readonly enginePid: number | null
}

export interface DemoPaths {
  readonly files: string
  readonly pool: string
  readonly passphraseFile: string
}

export class DemoStory {
  readonly #site: Site
  readonly #cli: DemoCli
  readonly #paths: DemoPaths
  /** Plugged at this moment. */
  readonly #media = new Map<string, PlugJson>()
  #step = 0

  constructor(site: Site, paths: DemoPaths) {
    this.#site = site
    this.#paths = paths
    this.#cli = new DemoCli(site, paths.pool, paths.passphraseFile)
  }

  /** @returns figures for --json */
  async run(): Promise<Record<string, unknown>> {
    const points = await this.#backUp()
    const canAttach = process.getuid?.() === 0 && existsSync('/dev/fuse')
    const plugged = canAttach ? await this.#useDisks(points) : await this.#useExport(points)
    await this.#ejectAll()
    return { points: points.map(({ id }) => id), plugged, attached: canAttach }
  }

  /** Takes away what is plugged, also by a command that was interrupted in the middle. */
  async cleanUp(): Promise<void> {
    if (!existsSync(path.join(this.#paths.pool, 'pool.json'))) return
    for (const { id } of await this.#cli.quietly<{ id: string }[]>('media')) {
      try {
        await this.#cli.quietly('eject', id, '--force')
      } catch (error) {
        // Half made, and cleared away by the eject of another one.
        if (!isMaasError(error, 'MEDIUM_NOT_FOUND')) throw error
      }
    }
  }

  async #backUp(): Promise<BackupJson[]> {
    const { text } = this.#site
    const { files: directory, pool } = this.#paths
    const sample = makeSampleFiles(directory)
    this.#begin(text('demo.files'))
    this.#tell(text('demo.filesMade', { files: sample.files, size: formatBytes(sample.bytes) }))
    this.#begin(text('demo.init'))
    await this.#cli.run('pool', 'init', pool)
    this.#begin(text('demo.first'))
    const first = await this.#backupOnce(directory)
    this.#begin(text('demo.unchanged'))
    const second = await this.#backupOnce(directory)
    damageSampleFiles(directory)
    this.#begin(text('demo.damage'))
    const third = await this.#backupOnce(directory)
    return [first, second, third]
  }

  async #backupOnce(directory: string): Promise<BackupJson> {
    this.#site.signal.throwIfAborted()
    const result = await this.#cli.run<BackupJson>('backup', directory, '--name', 'office')
    this.#tell(
      this.#site.text('demo.backedUp', {
        files: result.files,
        read: result.files - result.unchangedFiles,
        stored: formatBytes(result.storedBytes),
        time: formatDuration(result.durationMs),
      }),
    )
    return result
  }

  async #useDisks(points: readonly BackupJson[]): Promise<PlugJson[]> {
    const { text } = this.#site
    this.#begin(text('demo.plug'))
    const disks: PlugJson[] = []
    for (const { id } of points) disks.push(await this.#plug(id))
    for (const { device, mountPoint, elapsedMs } of disks) {
      const time = Math.round(elapsedMs)
      this.#tell(text('demo.disk', { device: device!, path: mountPoint!, time }))
    }
    const [oldest, , newest] = disks.map(({ mountPoint }) => path.join(mountPoint!, REPORT))
    this.#begin(text('demo.look'))
    this.#show(`cat ${oldest}`, this.#expect(readFileSync(oldest!, 'utf8'), REPORT_BEFORE))
    this.#show(`cat ${newest}`, this.#expect(readFileSync(newest!, 'utf8'), REPORT_AFTER))
    this.#begin(text('demo.write'))
    writeFileSync(oldest!, 'A note on the disk only.\n')
    this.#show(`cat ${oldest}`, readFileSync(oldest!, 'utf8'))
    const kept = await this.#cli.text('cat', points[0]!.id, REPORT)
    this.#show(
      `openmaas cat ${points[0]!.id.slice(-6)} ${REPORT}`,
      this.#expect(kept, REPORT_BEFORE),
    )
    return disks
  }

  /** Without root there is no disk of the kernel's; the same disk is served over NBD. */
  async #useExport(points: readonly BackupJson[]): Promise<PlugJson[]> {
    const { text } = this.#site
    this.#begin(text('demo.plugNbd'))
    const medium = await this.#plug(points[0]!.id, '--nbd', '--no-attach')
    this.#tell(text('demo.export', { uri: `nbd+unix:///?socket=${medium.nbd}` }))
    this.#begin(text('demo.look'))
    const kept = await this.#cli.text('cat', points[0]!.id, REPORT)
    this.#show(
      `openmaas cat ${points[0]!.id.slice(-6)} ${REPORT}`,
      this.#expect(kept, REPORT_BEFORE),
    )
    return [medium]
  }

  async #plug(point: string, ...options: readonly string[]): Promise<PlugJson> {
    this.#site.signal.throwIfAborted()
    const medium = await this.#cli.run<PlugJson>('plug', point.slice(-6), ...options)
    this.#media.set(medium.id, medium)
    return medium
  }

  async #ejectAll(): Promise<void> {
    this.#begin(this.#site.text('demo.eject'))
    const plugged = [...this.#media.values()]
    const engines = (await this.#cli.quietly<MediumJson[]>('media')).map((row) => row.enginePid)
    for (const { id } of plugged) {
      await this.#cli.run('eject', id.slice(-6))
      this.#media.delete(id)
    }
    this.#requireNothingLeft(plugged, engines)
    this.#tell(this.#site.text('demo.clean'))
  }

  #requireNothingLeft(plugged: readonly PlugJson[], engines: readonly (number | null)[]): void {
    const left = (what: string): never => {
      throw new MaasError('INTERNAL', `${what} is left after the eject`)
    }
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
    for (const { id, device, mountPoint } of plugged) {
      if (mounts.includes(id) || mounts.includes(`${mountPoint} `)) left(`a mount of ${id}`)
      if (device === null) continue
      // The number may be somebody else's by now: then the backing file is another.
      const backing = `/sys/block/${path.basename(device)}/loop/backing_file`
      if (existsSync(backing) && readFileSync(backing, 'utf8').includes(id)) left(device)
    }
    for (const pid of engines) {
      if (pid !== null && existsSync(`/proc/${pid}`)) left(`the engine ${pid}`)
    }
  }

  /** The demo proves what it says. */
  #expect(found: string, expected: string): string {
    if (found === expected) return found
    throw new MaasError('INTERNAL', 'the demo read something else than it wrote', {
      found,
      expected,
    })
  }

  #begin(title: string): void {
    const { out } = this.#site
    this.#step += 1
    if (out.json) return
    out.line('')
    out.line(out.paint('bold', `${this.#step}. ${title}`))
    out.flush()
  }

  #tell(text: string): void {
    const { out } = this.#site
    if (out.json) return
    out.line(`  ${out.paint('green', '→')} ${text}`)
    out.flush()
  }

  #show(command: string, output: string): void {
    const { out } = this.#site
    if (out.json) return
    out.line(out.paint('dim', `  $ ${command}`))
    out.line(`    ${output.trimEnd()}`)
    out.flush()
  }
}
