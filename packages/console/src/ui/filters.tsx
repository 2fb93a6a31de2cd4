/** Filters above a list: what is chosen stands in the address, and begins at the first page. */
import { useNavigate } from '@tanstack/react-router'
import Input from 'antd/es/input'
import Select from 'antd/es/select'

interface Props {
  /** As in the address and in the API, without `filter[…]`. */
  readonly name: string
  readonly label: string
  readonly value: string | undefined
}

function useFilter(name: string): (value: string) => void {
  const navigate = useNavigate()
  return (value) => {
    const changed = { [name]: value === '' ? undefined : value }
    const search = (old: object) => ({ ...old, ...changed, cursor: undefined, page: undefined })
    void navigate({ to: '.', search } as never)
  }
}

interface SelectProps extends Props {
  /** The word for no filter. */
  readonly any: string
  readonly options: readonly { readonly value: string; readonly label: string }[]
}

export function FilterSelect({ name, label, value, any, options }: SelectProps) {
  const change = useFilter(name)
  return (
    <Select
      aria-label={label}
      data-testid={`filter-${name}`}
      value={value ?? ''}
      style={{ minWidth: 150 }}
      options={[{ value: '', label: any }, ...options]}
      onChange={change}
    />
  )
}

export function FilterText({ name, label, value }: Props) {
  const change = useFilter(name)
  return (
    <Input.Search
      key={value ?? ''}
      aria-label={label}
      placeholder={label}
      defaultValue={value ?? ''}
      allowClear
      style={{ width: 210 }}
      onSearch={change}
      data-testid={`filter-${name}`}
    />
  )
}
