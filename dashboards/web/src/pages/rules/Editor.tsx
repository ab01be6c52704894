import { yaml } from '@codemirror/lang-yaml';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import CodeMirror, { EditorView, type ReactCodeMirrorRef } from '@uiw/react-codemirror';
import { useEffect, useRef } from 'react';

import type { Schemas } from '../../api/client';

export interface EditorProps {
  value: string;
  onChange?: (text: string) => void;
  problems: Schemas['LintProblem'][];
  // at is a line (from 1) to show; it is followed whenever it changes.
  at?: number;
  height: string;
  label: string;
}

const extensions = [yaml(), lintGutter(), EditorView.lineWrapping];

// Editor is for the text of a pack, with what the server finds wrong in it where it stands.
export default function Editor({ value, onChange, problems, at, height, label }: EditorProps) {
  const editor = useRef<ReactCodeMirrorRef>(null);
  useEffect(() => {
    const view = editor.current?.view;
    if (!view) return;
    const doc = view.state.doc;
    const found: Diagnostic[] = problems.map((p) => {
      const line = doc.line(Math.min(Math.max(p.line, 1), doc.lines));
      const from = Math.min(line.from + offset(line.text, p.column), line.to);
      return { from, to: line.to > from ? line.to : from, severity: p.severity, message: p.hint ? `${p.message} (${p.hint})` : p.message };
    });
    view.dispatch(setDiagnostics(view.state, found));
  }, [problems, value]);
  useEffect(() => {
    const view = editor.current?.view;
    if (!view || !at) return;
    const line = view.state.doc.line(Math.min(at, view.state.doc.lines));
    view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: 'start', yMargin: 40 }) });
  }, [at]);
  return <CodeMirror ref={editor} value={value} onChange={onChange} readOnly={!onChange} extensions={[...extensions, EditorView.contentAttributes.of({ 'aria-label': label })]} height={height} />;
}

// offset is where a column (from 1, in characters as the server counts them) lies in a string.
export function offset(text: string, column: number): number {
  return [...text].slice(0, Math.max(0, column - 1)).join('').length;
}
