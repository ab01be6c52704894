// How somebody is told of an alert while looking elsewhere: a sound, and a notification of the desktop. Both are off until
// they are switched on, and the choice stays in this browser.
import { useEffect, useSyncExternalStore } from 'react';

import { type AlertRow, onAlert } from './alerts';

const key = 'tingke.heralds';

export interface Heralds {
  sound: boolean;
  desktop: boolean;
}

let chosen: Heralds = read();
const readers = new Set<() => void>();

function read(): Heralds {
  try {
    const stored = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Heralds>;
    return { sound: stored.sound === true, desktop: stored.desktop === true && allowed() };
  } catch {
    return { sound: false, desktop: false };
  }
}

function allowed(): boolean {
  return typeof Notification !== 'undefined' && Notification.permission === 'granted';
}

function choose(next: Partial<Heralds>) {
  chosen = { ...chosen, ...next };
  localStorage.setItem(key, JSON.stringify(chosen));
  for (const reader of readers) reader();
}

// setSound switches the sound; switching it on lets it be heard, which also gives the browser the click it asks for.
export function setSound(on: boolean) {
  choose({ sound: on });
  if (on) ring();
}

// setDesktop asks for the permission to notify; false where it is refused.
export async function setDesktop(on: boolean): Promise<boolean> {
  if (on && typeof Notification !== 'undefined' && Notification.permission === 'default') await Notification.requestPermission();
  choose({ desktop: on && allowed() });
  return !on || allowed();
}

export function useHeralds(): Heralds {
  return useSyncExternalStore(
    (reader) => {
      readers.add(reader);
      return () => readers.delete(reader);
    },
    () => chosen,
  );
}

let audio: AudioContext | undefined;

// ring plays two short notes.
function ring() {
  audio ??= new AudioContext();
  const now = audio.currentTime;
  [880, 1175].forEach((frequency, i) => {
    const note = new OscillatorNode(audio as AudioContext, { frequency });
    const volume = new GainNode(audio as AudioContext, { gain: 0 });
    const at = now + i * 0.16;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.2, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.3);
    note.connect(volume).connect((audio as AudioContext).destination);
    note.start(at);
    note.stop(at + 0.32);
  });
}

// useHeralding tells of alerts in the ways that were chosen; title says what one is about.
export function useHeralding(title: (alert: AlertRow) => string) {
  useEffect(() => {
    let rang = 0;
    return onAlert((alert) => {
      if (chosen.sound && Date.now() - rang > 1500) {
        rang = Date.now();
        ring();
      }
      if (chosen.desktop && allowed()) {
        const note = new Notification(title(alert), { body: alert.evidence || alert.reason, tag: alert.alert_id });
        note.onclick = () => {
          window.focus();
          note.close();
        };
      }
    });
  }, [title]);
}
