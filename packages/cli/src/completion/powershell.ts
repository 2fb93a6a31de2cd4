/** Completion for PowerShell. */
import { commandPrefixes, wordsAfter } from './words.ts'

export function powershellCompletion(): string {
  const rows = ['', ...commandPrefixes()].map(
    (path) => `    '${path}' = '${wordsAfter(path).join(' ')}'`,
  )
  return `# PowerShell completion for openmaas
Register-ArgumentCompleter -Native -CommandName openmaas -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $table = @{
${rows.join('\n')}
  }
  $path = ''
  foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
    if ($element.Extent.EndOffset -ge $cursorPosition) { break }
    $longer = ("$path " + $element.ToString()).Trim()
    if ($table.ContainsKey($longer)) { $path = $longer }
  }
  $table[$path] -split ' ' | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}`
}
