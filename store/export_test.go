package store

// PageSize is how many trials a reader sees as of one moment.
const PageSize = pageSize
