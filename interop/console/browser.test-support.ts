/** One server and one browser for the whole suite, and how a person uses them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContext, ConsoleMessage, Cookie, Page } from 'playwright-core'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { ServerProgram } from '../serve/server.test-support.ts'
import { flawScript } from './flaws.test-support.ts'

export const CHROMIUM = '/usr/bin/chromium'
/** What tools/build-console.ts leaves. */
export const DIST = join(import.meta.dirname, '../../packages/console/dist/index.html')
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
/** CI keeps this folder. */
const SCREENSHOTS = join(import.meta.dirname, '../../.cache/console-screenshots')
/** Shared machines are slow; nothing here asserts a time. */
const WAIT_MAX_MS = 120_000

export type Language = 'en' | 'zh-CN'
export type Theme = 'light' | 'dark'

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } } as const
export type Size = keyof typeof SIZES

export class ConsoleSite implements AsyncDisposable {
  readonly server: ServerProgram
  readonly directory: TemporaryDirectory
  readonly browser: Browser
  /** Of the first capture of the source "files". */
  jobId = ''
  sourceId = ''
  #cookies: Cookie[] = []

  private constructor(server: ServerProgram, directory: TemporaryDirectory, browser: Browser) {
    this.server = server
    this.directory = directory
    this.browser = browser
  }

  /** A server with its first pool, an administrator whose password is changed, a browser. */
  static async start(): Promise<ConsoleSite> {
    const directory = new TemporaryDirectory({ inMemory: true })
    mkdirSync(SCREENSHOTS, { recursive: true })
    const [server, browser] = await Promise.all([
      ServerProgram.start({ data: directory.join('data'), flags: ['--http'] }),
      chromium.launch({
        executablePath: CHROMIUM,
        // Root has no user namespaces here; the pages are ours.
        args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      }),
    ])
    return new ConsoleSite(server, directory, browser)
  }

  /** What screens have something to show of: a source with one recovery point. */
  async protectFiles(): Promise<void> {
    const { api } = this.server
    mkdirSync(this.directory.join('files'))
    writeFileSync(this.directory.join('files/hello.txt'), 'hello')
    const { items: hosts } = await api.call('listHosts')
    const agent = hosts.find(({ kind }) => kind === 'agent')!
    const source = await api.call('createSource', {
      body: { name: 'files', hostId: agent.id, path: this.directory.join('files') },
    })
    this.sourceId = source.id
    const run = await api.call('protectSource', { params: { sourceId: source.id }, body: {} })
    this.jobId = (await api.finish(run.jobId)).id
    this.#forget(source.id)
  }

  /** Nobody has promised it anything for an hour: an alert, within a minute. */
  #forget(sourceId: string): void {
    const catalog = new DatabaseSync(this.directory.join('data/catalog.db'), { timeout: 60_000 })
    const update = 'update source set created_at = created_at - 3600000 where id = ?'
    catalog.prepare(update).run(sourceId)
    catalog.close()
  }

  get login(): { readonly name: string; readonly password: string } {
    const { name, password } = this.server.first!.login!
    return { name, password: `${password}-changed` }
  }

  /** A tab of somebody who is not logged in. */
  async visit(
    options: { readonly language?: Language; readonly theme?: Theme; readonly size?: Size } = {},
  ): Promise<Visit> {
    const { language = 'en', theme = 'light', size = 'wide' } = options
    const context = await this.browser.newContext({
      baseURL: this.server.ready.url,
      viewport: SIZES[size],
      locale: language,
      colorScheme: theme,
      reducedMotion: 'reduce',
    })
    context.setDefaultTimeout(WAIT_MAX_MS)
    return new Visit(this, context, await context.newPage())
  }

  /** Logged in as the administrator, without the form. */
  async enter(options: Parameters<ConsoleSite['visit']>[0] = {}): Promise<Visit> {
    const visit = await this.visit(options)
    // One session for all tests, as long as it lasts: logins are limited.
    await visit.context.addCookies(this.#cookies)
    if ((await visit.context.request.get('/api/v1/me')).ok()) return visit
    const answer = await visit.context.request.post('/api/v1/login', { data: this.login })
    if (!answer.ok()) throw new Error(`login: ${answer.status()} ${await answer.text()}`)
    this.#cookies = await visit.context.cookies()
    return visit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close()
    await this.server[Symbol.asyncDispose]()
    this.directory.dispose()
  }
}

export class Visit implements AsyncDisposable {
  readonly site: ConsoleSite
  readonly context: BrowserContext
  readonly page: Page
  /** What the browser complained about: scripts that were refused, exceptions. */
  readonly complaints: string[] = []

  constructor(site: ConsoleSite, context: BrowserContext, page: Page) {
    this.site = site
    this.context = context
    this.page = page
    page.on('pageerror', (error) => this.complaints.push(error.message))
    page.on('console', (message: ConsoleMessage) => {
      // A refused answer is the test's own doing; it is shown on the page.
      const isRefusal = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !isRefusal) this.complaints.push(message.text())
    })
  }

  /** Opened, and its title shown. */
  async open(path: string): Promise<void> {
    await this.page.goto(path)
    await this.by('title').waitFor()
  }

  /** Everything that the page asked for has come, and no skeleton is left. */
  async settled(): Promise<void> {
    // A function that polls in the page would be refused by the policy of the console.
    const waiting = this.page.locator('.ant-skeleton, .ant-spin-spinning')
    while ((await waiting.count()) > 0) await waiting.first().waitFor({ state: 'detached' })
  }

  /** By its data-testid. */
  by(testId: string) {
    return this.page.getByTestId(testId)
  }

  /** As CI keeps it: `jobs-zh-CN-dark-narrow.png`. */
  async keep(name: string): Promise<void> {
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true })
  }

  /** True when nothing is wider than the window. */
  async fits(): Promise<boolean> {
    return this.page.evaluate(
      'document.documentElement.scrollWidth <= document.documentElement.clientWidth',
    )
  }

  /** Opens, keeps a picture, and @returns what is wrong with it: cut off, or by axe. */
  async look(name: string, path: string, look: Look): Promise<string[]> {
    await this.open(path)
    await this.settled()
    await this.keep(`${name}-${look.language}-${look.theme}-${look.size}`)
    return this.flaws(name, look.language)
  }

  /** Of what is open. @returns what is wrong with it: cut off, of another language, or by axe */
  async flaws(name: string, language: Language): Promise<string[]> {
    const cut = (await this.fits()) ? [] : ['wider than the window']
    const seen = (await this.page.evaluate(flawScript(language))) as string[]
    return [...cut, ...seen, ...(await this.axe())].map((text) => `${name}: ${text}`)
  }

  /** @returns what axe finds that keeps people out, as `rule: element` */
  async axe(): Promise<string[]> {
    await this.page.evaluate(readFileSync(AXE, 'utf8'))
    const found = (await this.page.evaluate(
      `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.html.slice(0, 200))))`,
    )) as string[]
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close()
  }
}

export interface Look {
  readonly language: Language
  readonly theme: Theme
  readonly size: Size
}

/** Languages and themes over two sizes: every pair once, in four visits instead of eight. */
const PAIRS: readonly Look[] = [
  { language: 'en', theme: 'light', size: 'wide' },
  { language: 'zh-CN', theme: 'dark', size: 'wide' },
  { language: 'en', theme: 'dark', size: 'narrow' },
  { language: 'zh-CN', theme: 'light', size: 'narrow' },
]
const OTHERS: readonly Look[] = [
  { language: 'en', theme: 'dark', size: 'wide' },
  { language: 'zh-CN', theme: 'light', size: 'wide' },
  { language: 'en', theme: 'light', size: 'narrow' },
  { language: 'zh-CN', theme: 'dark', size: 'narrow' },
]
/** With OPENMAAS_LOOKS=others those that CI leaves out. */
export const LOOKS = process.env['OPENMAAS_LOOKS'] === 'others' ? OTHERS : PAIRS
