import { useState } from 'react'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import Segmented from 'antd/es/segmented'
import { useText } from '../../i18n/text.ts'
import type { ChangeSearch } from './FilesPage.tsx'
import { filesMessages } from './messages/text.ts'
import type { FilesSearch } from './queries.ts'

interface Props {
  readonly search: FilesSearch
  readonly onChange: ChangeSearch
}

export function FileSearchBar({ search, onChange }: Props) {
  const text = useText(filesMessages)
  const { q, across } = search
  const [typed, setTyped] = useState(q ?? '')
  const look = (value: string): void => {
    const pattern = value.trim()
    onChange({ q: pattern === '' ? undefined : pattern })
  }
  return (
    <div className="om-filters">
      <Input.Search
        className="om-file-search"
        value={typed}
        allowClear
        placeholder={text('search.example')}
        aria-label={text('search')}
        enterButton={text('search')}
        onChange={(event) => setTyped(event.target.value)}
        onSearch={look}
        data-testid="file-search"
      />
      <Segmented
        value={across === true ? 'across' : 'here'}
        aria-label={text('search.scope')}
        options={[
          { value: 'here', label: text('search.here') },
          { value: 'across', label: text('search.across') },
        ]}
        onChange={(scope) => {
          const pattern = typed.trim()
          onChange({
            across: scope === 'across' ? true : undefined,
            ...(pattern !== '' && { q: pattern }),
          })
        }}
        data-testid="search-scope"
      />
      {q !== undefined && (
        <Button
          onClick={() => {
            setTyped('')
            onChange({ q: undefined, across: undefined })
          }}
          data-testid="search-clear"
        >
          {text('search.clear')}
        </Button>
      )}
    </div>
  )
}
