// What a page shows, asked for when it opens and again when the server tells of changes.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, type Asked, type Changes } from "./api";
import { listen } from "./live";

export type Data<T> = { value?: T; error?: string };

type Settings<T> = {
  /** Whether these changes concern what is shown; it may take them in by itself and return it. */
  concerns?: (changes: Changes, value: T | undefined) => boolean | { value: T };
  /** The shortest time between two questions, milliseconds. */
  pause?: number;
  /** Another turn has it asked anew. */
  turn?: number;
};

const AGAIN = 30_000;

/** Nothing is asked for without a path. */
export function useData<T>(path: string | undefined, asked: Asked, settings: Settings<T> = {}): Data<T> {
  const [data, setData] = useState<Data<T>>({});
  const kept = useRef(settings);
  kept.current = settings;
  const key = JSON.stringify([path, asked, settings.turn]);
  useEffect(() => {
    const controller = new AbortController();
    let value: T | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isAsking = false;
    let isStale = false;
    setData({});
    if (path === undefined) return;
    const load = async () => {
      isAsking = true;
      isStale = false;
      clearTimeout(timer);
      try {
        value = await ask<T>(path, asked, controller.signal);
        setData({ value });
      } catch (error) {
        // What was shown stays, with what is wrong beside it.
        if (!controller.signal.aborted) setData({ value, error: String((error as Error).message) });
      }
      isAsking = false;
      if (!controller.signal.aborted) timer = setTimeout(load, isStale ? (kept.current.pause ?? 1_000) : AGAIN);
    };
    const soon = () => {
      if (isStale) return;
      isStale = true;
      if (isAsking) return;
      clearTimeout(timer);
      timer = setTimeout(load, kept.current.pause ?? 1_000);
    };
    const stop = listen((told) => {
      if (told.kind !== "changes") return;
      const concerned = told.changes.is_cut || (kept.current.concerns?.(told.changes, value) ?? false);
      if (typeof concerned === "object") {
        value = concerned.value;
        setData({ value });
        // An answer that is under way does not know of it.
        if (isAsking) isStale = true;
      } else if (concerned) soon();
    });
    void load();
    return () => {
      stop();
      controller.abort();
      clearTimeout(timer);
    };
  }, [key]);
  return data;
}
