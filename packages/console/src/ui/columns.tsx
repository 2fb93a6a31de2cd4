/** The columns that most lists have: a state, a name that leads to its page, words, a time. */
import type { ReactNode } from 'react'
import type { Column } from './DataList.tsx'
import { StateTag } from './StateTag.tsx'
import { Time } from './Time.tsx'

type Where = Pick<Column<object>, 'sortable' | 'hidden'>

/** What is read of a row: a number stays one in CSV. */
type Value<Row> = (row: Row) => string | number | null

export function stateColumn<Row extends { readonly state: string }>(label: string): Column<Row> {
  const cell = ({ state }: Row): ReactNode => <StateTag state={state} />
  return { key: 'state', label, cell, value: ({ state }) => state }
}

/** By its name; in the console the name is a link. */
export function nameColumn<Row extends { readonly name: string }>(
  label: string,
  link: (row: Row) => ReactNode,
): Column<Row> {
  return { key: 'name', label, sortable: true, cell: link, value: ({ name }) => name }
}

/** Shown as it is read. */
export function wordColumn<Row>(
  key: string,
  label: string,
  value: Value<Row>,
  where: Where = {},
): Column<Row> {
  return { key, label, cell: (row) => value(row) ?? '', value, ...where }
}

/** Ids, paths and addresses: in the letters of code. */
export function codeColumn<Row>(
  key: string,
  label: string,
  value: Value<Row>,
  where: Where = {},
): Column<Row> {
  const cell = (row: Row): ReactNode => <code className="om-code">{value(row)}</code>
  return { key, label, cell, value, ...where }
}

/** @param none what stands where there is no time; "never" by default */
export function timeColumn<Row>(
  key: string,
  label: string,
  at: (row: Row) => string | null,
  where: Where & { readonly none?: string } = {},
): Column<Row> {
  const { none, ...rest } = where
  const cell = (row: Row): ReactNode => {
    const value = at(row)
    if (value === null && none !== undefined) return <span className="om-quiet">{none}</span>
    return <Time at={value} />
  }
  return { key, label, cell, value: at, ...rest }
}
