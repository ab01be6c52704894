// Sparkline draws a row of numbers as a line of the height of text; what is null leaves a gap. label says in words what it
// shows; without one it is decoration beside numbers that say the same.
export function Sparkline({ values, width = 96, height = 24, color = 'var(--ant-color-primary)', label }: { values: (number | null)[]; width?: number; height?: number; color?: string; label?: string }) {
  const known = values.filter((v): v is number => v !== null);
  if (known.length < 2) return <svg width={width} height={height} aria-hidden="true" />;
  const low = Math.min(0, ...known);
  const span = Math.max(...known) - low || 1;
  const x = (i: number) => 2 + (i * (width - 4)) / (values.length - 1);
  const y = (v: number) => height - 2 - ((v - low) * (height - 4)) / span;
  let path = '';
  let open = false;
  values.forEach((v, i) => {
    if (v !== null) path += `${open ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    open = v !== null;
  });
  const last = values.length - 1;
  return (
    <svg width={width} height={height} style={{ display: 'block' }} {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}>
      <path d={path} fill="none" style={{ stroke: color }} strokeWidth={1.5} strokeLinejoin="round" strokeLinecap="round" />
      {values[last] !== null && <circle cx={x(last)} cy={y(values[last] as number)} r={2} style={{ fill: color }} />}
    </svg>
  );
}
