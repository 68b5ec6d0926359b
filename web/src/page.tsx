// The page: what was found, whether to believe it, what to try next, and then
// everything down to a single design.

import { store } from './state'

export function Page() {
  return <h1>{store.view.study.name}</h1>
}
