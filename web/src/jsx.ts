// What JSX becomes: the build injects these instead of the larger jsx runtime.
export { createElement, Fragment } from 'preact'
