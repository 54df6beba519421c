// Whether one may write here, and how: a token, or the proxy before the page.
import { useEffect, useState } from "preact/hooks";
import { useAccess } from "../access";
import { shown } from "../format";
import { Shown, Value } from "../parts";
import { to } from "../route";
import { person, setPerson, setToken, token } from "../token";

export function AccessPage({ given }: { given: string | undefined }) {
  const data = useAccess();
  const [text, setText] = useState("");
  const [name, setName] = useState(person());
  useEffect(() => {
    if (given === undefined) return;
    setToken(given);
    // It stays in no address that somebody copies, and in no history.
    location.replace(to(["access"]));
  }, [given]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (text !== "") setToken(text);
    setPerson(name);
    setText("");
  };
  return (
    <>
      <h1>Writing</h1>
      <Shown data={data}>
        {(access) => (
          <>
            <p role="status">
              {access.may_write ? (
                <>
                  You may add and end silences and give verdicts{access.by ? <> as <Value text={access.by} /></> : ""}; site {access.site} writes them.
                </>
              ) : (
                <>You only read here: {shown(access.why_not ?? "", 1_000)}.</>
              )}
            </p>
            {access.takes_token && !access.by && (
              <form class="act" aria-label="Token" onSubmit={submit}>
                <label>
                  <span>Token of this console</span>
                  <input type="password" value={text} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} />
                </label>
                <label>
                  <span>Your name, which stands in what you write</span>
                  <input type="text" value={name} maxLength={100} autocomplete="name" onInput={(event) => setName(event.currentTarget.value)} />
                </label>
                <p class="quiet">Both stay in this tab of the browser, until it is closed.</p>
                <p class="buttons">
                  <button type="submit" class="main">
                    Use
                  </button>
                  {token() !== undefined && (
                    <button type="button" onClick={() => setToken("")}>
                      Forget the token
                    </button>
                  )}
                </p>
              </form>
            )}
          </>
        )}
      </Shown>
    </>
  );
}
