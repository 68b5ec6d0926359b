// node web/test/expr.mjs: the conditions of src/expr.cases.json, as the page
// understands them. internal/cli holds the engine to the same cases.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const web = new URL('../', import.meta.url).pathname
const script = execFileSync('go', ['run', 'github.com/evanw/esbuild/cmd/esbuild', web + 'src/expr.ts', '--format=esm'], { cwd: web + '../tools' })
const { compile } = await import('data:text/javascript;base64,' + script.toString('base64'))

let failed = 0
let count = 0
for (const group of JSON.parse(readFileSync(web + 'src/expr.cases.json'))) {
  const loaded = group.columns.map((meta, id) => ({
    id,
    meta,
    x: Float64Array.from(group.rows, (r) => (r[id] === null ? NaN : meta.kind === 'number' ? r[id] : meta.values.indexOf(r[id]))),
  }))
  for (const { text, met, error } of group.tests) {
    count++
    const c = compile(text, group.columns)
    const columns = c.columns.map((id) => loaded[id])
    const got = group.rows.map((_, r) => r).filter((r) => c.holds(columns, r))
    const right = error ? c.error && c.at >= 0 && c.at <= text.length : !c.error && String(got) === String(met)
    if (process.argv.includes('-v') && c.error) console.log(`${text}\n${' '.repeat(c.at)}^ ${c.error}`)
    if (right) continue
    failed++
    console.log(`${text}: ${c.error ? `error “${c.error}”` : `met by [${got}]`}; want ${error ? 'an error' : `[${met}]`}`)
  }
}
console.log(`${count} conditions, ${failed} failed`)
process.exit(failed ? 1 : 0)
