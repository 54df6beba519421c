// Whether whoever looks at the page may write, as the server says it.
import { useEffect, useState } from "preact/hooks";
import type { Access } from "./api";
import { type Data, useData } from "./data";
import { onToken } from "./token";

export function useAccess(): Data<Access> {
  const [turn, setTurn] = useState(0);
  useEffect(() => onToken(() => setTurn((turn) => turn + 1)), []);
  return useData<Access>("access", {}, { turn });
}
