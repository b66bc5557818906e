export default function Page() {
  return <p>Nothing here: see the middleware.</p>;
}
