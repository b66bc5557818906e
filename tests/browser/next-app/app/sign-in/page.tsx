export default function SignIn() {
  return (
    <main>
      <h1>Sign in</h1>
      <form method="post" action="/sign-in/session">
        <label>
          User id <input name="user" defaultValue="user_ada" />
        </label>
        <button>Continue</button>
      </form>
    </main>
  );
}
