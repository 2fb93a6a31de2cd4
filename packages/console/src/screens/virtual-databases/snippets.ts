/** How a test job gets a database like this one: docs/operating/databases.md, filled in. */
export const SNIPPETS = ['curl', 'github', 'gitlab', 'jenkins'] as const
export type Snippet = (typeof SNIPPETS)[number]

export interface SnippetFacts {
  readonly server: string
  readonly sourceName: string
  readonly sourceId: string
  readonly hostName: string
  readonly hostId: string
  readonly quotaBytes: number | null
}

/** What a data consumer begins with: their tokens need one. */
const QUOTA_DEFAULT_GIB = 10
const GIB = 1024 ** 3

/** For a POSIX shell; plain words stay as they are. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function createLine({ sourceName, hostName, quotaBytes }: SnippetFacts, purpose: string): string {
  const gib = quotaBytes === null ? QUOTA_DEFAULT_GIB : Math.max(1, Math.round(quotaBytes / GIB))
  return [
    `openmaas vdb create ${shellWord(sourceName)} --for "${purpose}" --drop-after 2h`,
    `--quota ${gib}GiB --to ${shellWord(hostName)} --format env`,
  ].join(' ')
}

export function snippetOf(kind: Snippet, facts: SnippetFacts): string {
  switch (kind) {
    case 'curl':
      return curlOf(facts)
    case 'github':
      return githubOf(facts)
    case 'gitlab':
      return gitlabOf(facts)
    case 'jenkins':
      return jenkinsOf(facts)
  }
}

function curlOf({ server, sourceId, hostId, quotaBytes }: SnippetFacts): string {
  const body = {
    name: 'test-job',
    sourceId,
    hostId,
    lifetimeSeconds: 7200,
    quotaBytes: quotaBytes ?? QUOTA_DEFAULT_GIB * GIB,
  }
  return `api() { curl -fsS -H "authorization: Bearer $(cat "$OPENMAAS_TOKEN_FILE")" \\
  -H 'content-type: application/json' -X POST "${server}/api/v1/virtual-databases$@"; }

id=$(api '?wait=60s' -d ${shellWord(JSON.stringify(body))} | jq -r .virtualDatabaseId)
export DATABASE_URL=$(api "/$id/connection" | jq -r .url)
npm test
api "/$id/drop" -d '{}'`
}

const toGithubEnv = String.raw`sed 's/^export //; s/=.\(.*\).$/=\1/' >> "$GITHUB_ENV"`

function githubOf(facts: SnippetFacts): string {
  return `- run: ${createLine(facts, '$GITHUB_RUN_ID')} | ${toGithubEnv}
- run: npm test
- run: openmaas vdb drop "$OPENMAAS_VDB"
  if: always()`
}

function gitlabOf(facts: SnippetFacts): string {
  return `test:
  script:
    - eval "$(${createLine(facts, '$CI_JOB_ID')})"
    - npm test
    - openmaas vdb drop "$OPENMAAS_VDB"`
}

function jenkinsOf(facts: SnippetFacts): string {
  return `sh '''eval "$(${createLine(facts, '$BUILD_TAG')})"
      trap 'openmaas vdb drop "$OPENMAAS_VDB"' EXIT
      npm test'''`
}
