// The entry of every page: it finds its data and shows the study.

import { render } from 'preact'
import './style.css'
import { source, Store } from './data'
import { start } from './state'
import { startTheme } from './theme'
import { Page } from './page'

async function main(): Promise<void> {
  const root = document.getElementById('app')!
  try {
    const from = source()
    const store = new Store(await from.view(), from)
    startTheme()
    start(store)
    render(<Page />, root)
  } catch (e) {
    root.textContent = `This page cannot be shown: ${e instanceof Error ? e.message : String(e)}`
    throw e
  }
}

void main()
